"""The table of cases and the row of their results are no wider than their buttons."""

import pytest

from napari_medvlm.widgets.cases.table import CaseTable, ResultsRow


@pytest.mark.parametrize("part", [CaseTable, ResultsRow])
def test_a_long_summary_is_broken_into_lines_and_asks_for_no_width(qtbot, part):
    widget = part()
    qtbot.addWidget(widget)
    before = widget.minimumSizeHint().width()
    widget.summary.setText("12 of 40 done, 3 rejected; 5 files are missing in this folder")
    assert widget.minimumSizeHint().width() == before
