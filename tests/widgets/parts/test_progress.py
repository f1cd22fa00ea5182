"""The progress widget of all docks, without a viewer."""

import pytest
from qtpy.QtWidgets import QProgressBar

from napari_medvlm.widgets.parts import progress
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.progress import STEPS, ProgressRow, ProgressWidget, RunRow

pytestmark = pytest.mark.usefixtures("qapp")


def test_a_fraction_moves_the_bar_and_no_fraction_means_that_the_end_is_not_known():
    widget = ProgressWidget("Stop.")
    widget.show_progress(0.25, "Reading")
    assert (widget.bar.value(), widget.bar.maximum()) == (STEPS // 4, STEPS)
    widget.show_progress(None, "Waiting")
    assert widget.bar.maximum() == 0
    widget.show_progress(1.0, "Done")
    assert (widget.bar.value(), widget.bar.maximum()) == (STEPS, STEPS)


def test_a_message_is_shown_as_it_is():
    widget = ProgressWidget("Stop.")
    widget.show_progress(0.5, "5 %p of <b>it</b>")
    assert widget.bar.text().replace("\u200b", "") == "5 %p of <b>it</b>"


@pytest.mark.parametrize("make", [ProgressRow, lambda: RunRow("Run", ""), lambda: JobBar("")])
def test_every_row_has_the_same_progress_widget(make):
    row = make()
    widgets = [row] if isinstance(row, ProgressWidget) else row.findChildren(ProgressWidget)
    assert len(widgets) == 1


def test_prompts_without_a_mask_are_counted_while_nothing_runs():
    row = ProgressRow()
    assert row.text == "Ready"
    row.show_state(busy=False, waiting=1, can_ask=True)
    assert row.text == "1 prompt pending"
    row.show_state(busy=False, waiting=3, can_ask=True)
    assert row.text == "3 prompts pending"


class Bar(QProgressBar):
    """A progress bar that counts how often it is drawn."""

    drawn = 0

    def paintEvent(self, event):  # noqa: N802  # Qt's name
        self.drawn += 1
        super().paintEvent(event)


def test_a_value_is_drawn_later_and_not_within_the_call(qtbot, monkeypatch):
    monkeypatch.setattr(progress, "QProgressBar", Bar)
    widget = ProgressWidget("Stop.")
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: widget.bar.drawn > 0)
    before = widget.bar.drawn
    widget.show_progress(0.5, "Half")
    assert widget.bar.drawn == before
    qtbot.waitUntil(lambda: widget.bar.drawn > before)


def test_a_run_that_starts_is_not_shown_as_ready(qtbot):
    row = RunRow("Ask", "")
    qtbot.addWidget(row)
    row.show_state(ready=True, busy=False)
    assert row.bar.format() == "Ready"
    row.show_state(ready=True, busy=True)
    assert row.bar.format() == "Starting…"
    row.show_progress(0.5, "measuring")
    row.show_state(ready=True, busy=True)
    assert row.bar.format() == "measuring"
