"""The figures after each interaction."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_medvlm.evaluation.segment.outcomes import Step

HEAD = ["", "Prompt", "Dice", "IoU", "NSD", "HD95 (mm)", "Time (s)"]
HEIGHT = 130
NONE = "–"  # noqa: RUF001  # a dash for none


class StepTable(QTreeWidget):
    """A row for each interaction.

    Attributes
    ----------
    chosen
        The interaction, from 1, whose row the person chose.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(HEAD)
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("Click a row: the mask after that interaction is shown.")
        self.header().setMinimumSectionSize(24)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.currentItemChanged.connect(self._on_current)
        self.hide()

    def show_steps(self, steps: Sequence[Step], at: int) -> None:
        """Show the figures of all steps so far, with one of them chosen, from 1."""
        self.show()
        with QSignalBlocker(self):
            if len(steps) < self.topLevelItemCount():
                self.clear()
            for number in range(self.topLevelItemCount(), len(steps)):
                self.addTopLevelItem(_item(number + 1, steps[number]))
            self.setCurrentItem(self.topLevelItem(at - 1))

    def _on_current(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(self.indexOfTopLevelItem(item) + 1)


def _item(number: int, step: Step) -> QTreeWidgetItem:
    said = f"{'+' if step.positive else '-'} {step.gesture}" if step.gesture else "none needed"
    figures = [f"{value:.3f}" for value in (step.dice, step.iou, step.nsd)]
    far = NONE if step.hd95_mm is None else f"{step.hd95_mm:.1f}"
    time = NONE if step.seconds is None else f"{step.seconds:.2f}"
    item = QTreeWidgetItem([str(number), said, *figures, far, time])
    if step.problem:
        item.setText(1, f"{said}: no new mask")
        item.setToolTip(1, step.problem)
    return item
