"""Who segments in an evaluation, and what the simulated user does."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.evaluation.segment.plan import PROMPTS, Plan
from napari_medvlm.evaluation.segment.simulated_user import PromptKind
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.models.model_picker import ModelRow

LARGEST_SEED = 2**31 - 1


class PlanForm(QWidget):
    """Backend, model, number and kind of interactions, unsteadiness, seed and tolerance."""

    def __init__(self) -> None:
        super().__init__()
        usual = Plan()
        self.backend = BackendChoice(Task.SEGMENT)
        self.model = ModelRow()
        self.interactions = _integer(1, 100, usual.interactions, "Number of prompts per structure.")
        self.first_prompt = _kind_combo(tuple(PromptKind), "First prompt type.")
        self.next_prompt = _kind_combo(
            tuple(g for g in PromptKind if g is not PromptKind.BOX),
            "Type of the following prompts.",
        )
        self.jitter = _number(20.0, usual.jitter_mm, "Click jitter, standard deviation in mm.")
        self.seed = _integer(0, LARGEST_SEED, usual.seed, "Random seed.")
        self.tolerance = _number(
            50.0, usual.tolerance_mm, "Tolerance of the surface Dice (NSD), in mm."
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        form.addRow("First prompt", _row(self.first_prompt, "then", self.next_prompt))
        form.addRow("Interactions", _row(self.interactions, "seed", self.seed))
        form.addRow("Click jitter", _row(self.jitter, "NSD tolerance", self.tolerance))
        self.backend.chosen.connect(self._use_backend)
        self._use_backend()

    @property
    def plan(self) -> Plan:
        """What was chosen."""
        return Plan(
            backend=self.backend.name,
            model=self.model.model,
            device=self.model.device,
            interactions=self.interactions.value(),
            first_prompt=self.first_prompt.currentData(),
            next_prompt=self.next_prompt.currentData(),
            jitter_mm=self.jitter.value(),
            seed=self.seed.value(),
            tolerance_mm=self.tolerance.value(),
        )

    def _use_backend(self, _: str = "") -> None:
        """Offer what the backend takes; what it does not is greyed, with the reason."""
        info = registry.info(self.backend.name)
        self.model.turn_to(info.name)
        self.model.setEnabled(info.weights_licence != "none")
        for box in (self.first_prompt, self.next_prompt):
            for row in range(box.count()):
                kind = PROMPTS[box.itemData(row)]
                able = kind in info.prompts
                box.model().item(row).setEnabled(able)
                reason = "" if able else f"{info.title} does not support {box.itemText(row)}."
                box.setItemData(row, reason, Qt.ItemDataRole.ToolTipRole)
            if not box.model().item(box.currentIndex()).isEnabled():
                able_rows = (r for r in range(box.count()) if box.model().item(r).isEnabled())
                box.setCurrentIndex(next(able_rows, 0))


def _kind_combo(offered: tuple[PromptKind, ...], tooltip: str) -> QComboBox:
    box = QComboBox()
    for prompt_kind in offered:
        box.addItem(str(prompt_kind), prompt_kind)
    box.setToolTip(tooltip)
    return box


def _integer(low: int, high: int, value: int, tooltip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    box.setToolTip(tooltip)
    box.setMinimumWidth(50)
    return box


def _number(high: float, value: float, tooltip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, high)
    box.setSingleStep(0.5)
    box.setSuffix(" mm")
    box.setValue(value)
    box.setToolTip(tooltip)
    box.setMinimumWidth(60)
    return box


def _row(*parts: QWidget | str) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(QLabel(part) if isinstance(part, str) else part)
    return row
