"""The table of lesions in docks of different widths."""

from napari_medvlm.sessions.followup.followed import Extent, FollowedLesion, LesionState
from napari_medvlm.widgets.followup.table import (
    DOUBLING,
    NAME,
    NODE,
    PERPENDICULAR,
    LesionTable,
)


def test_a_narrow_table_needs_no_scrolling_and_has_hidden_values_in_tooltips(qtbot):
    size = Extent((0, 0, 0), 12.34, 23.4, 12.3)
    lesion = FollowedLesion(
        "Lesion in the right upper lobe", LesionState.MERGED, size, size, -48.0, 123.0
    )
    table = LesionTable()
    qtbot.addWidget(table)
    table.show_lesions([lesion], {})
    table.resize(320, 220)
    table.show()
    qtbot.waitUntil(lambda: table.isColumnHidden(PERPENDICULAR))
    assert table.isColumnHidden(DOUBLING)
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    tip = table.topLevelItem(0).toolTip(NAME)
    for text in (lesion.name, "12.3 → 12.3 mm", "123 days"):
        assert text in tip
    table.resize(700, 220)
    qtbot.waitUntil(lambda: not table.isColumnHidden(PERPENDICULAR))
    assert not table.isColumnHidden(DOUBLING)
    others = sum(table.columnWidth(column) for column in range(NAME + 1, NODE + 1))
    table.resize(others + 80, 220)
    qtbot.waitUntil(lambda: table.isColumnHidden(DOUBLING))
    assert table.columnWidth(NAME) > 80, "names are not elided to a few letters"
