"""What came of each interaction: curve, slider, words and table, all at the same one."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.evaluation.runs.report import NONE
from napari_medvlm.evaluation.segment.outcomes import Attempt, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import WANTED, auc_max, figures
from napari_medvlm.widgets.evaluate.curve import Curve
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

HEAD = ["", "Prompt", "Dice", "IoU", "NSD", "HD95 (mm)", "Time (s)"]
HEIGHT = 130


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
        self.setToolTip("Click a row to show the mask after that interaction.")
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
    prompt = f"{'+' if step.positive else '-'} {step.prompt}" if step.prompt else "none needed"
    figures = [f"{value:.3f}" for value in (step.dice, step.iou, step.nsd)]
    far = NONE if step.hd95_mm is None else f"{step.hd95_mm:.1f}"
    time = NONE if step.seconds is None else f"{step.seconds:.2f}"
    item = QTreeWidgetItem([str(number), prompt, *figures, far, time])
    if step.problem:
        item.setText(1, f"{prompt}: no new mask")
        item.setToolTip(1, plain(step.problem))
    return item


class StepsView(QWidget):
    """Hidden until there is a step.

    Attributes
    ----------
    chosen
        The interaction, from 1, that the person wants to see.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.curve = Curve()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("Show the mask and the prompts after this interaction.")
        self.slider.setMinimum(1)
        self.text = WrappedLabel()
        self.table = StepTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.curve, self.slider, self.text, self.table):
            layout.addWidget(part)
        for signal in (self.slider.valueChanged, self.curve.chosen, self.table.chosen):
            signal.connect(self.chosen)
        self.hide()

    @property
    def at(self) -> int:
        """The interaction that is shown, from 1."""
        return int(self.slider.value())

    def show_steps(
        self, steps: Sequence[Step], plan: Plan, at: int, attempt: Attempt | None = None
    ) -> None:
        """Show all steps so far, one of them chosen, and what they come to when they are all there.

        Parameters
        ----------
        at
            The chosen one, from 1.
        attempt
            What came of them, when it is done.
        """
        self.show()
        with QSignalBlocker(self.slider):
            self.slider.setMaximum(len(steps))
            self.slider.setValue(at)
        self.curve.show_steps(steps, plan.interactions, at)
        self.table.show_steps(steps, at)
        step = steps[at - 1]
        words = (
            f"After {at} of {plan.interactions}: Dice {step.dice:.3f}, NSD {step.nsd:.3f}.",
            "" if attempt is None else _sum(attempt, plan),
        )
        self.text.show_text(" ".join(filter(None, words)))

    def clear(self) -> None:
        """Forget all steps."""
        self.table.clear()
        self.hide()


def _sum(attempt: Attempt, plan: Plan) -> str:
    """What a whole curve comes to."""
    metrics = figures(attempt, plan)
    reached = []
    for wanted in WANTED:
        key = f"{wanted * 100:.0f}"
        after = "not reached" if metrics[f"missed{key}"] else f"after {metrics[f'noc{key}']:.0f}"
        reached.append(f"{wanted:.2f} {after}")
    areas = f"DSC AUC {metrics['dsc_auc']:.3f}, NSD AUC {metrics['nsd_auc']:.3f}"
    return f"Dice {', '.join(reached)}. {areas}, of at most {auc_max(plan)}."
