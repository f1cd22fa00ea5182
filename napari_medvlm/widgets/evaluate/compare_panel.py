"""Two masks of the window side by side: figures that follow them, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.evaluation.runs.report import NONE
from napari_medvlm.evaluation.segment.mask_comparison import MaskComparison, compare_masks
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.layers.difference_layer import (
    BOTH,
    COLORS,
    ONLY_A,
    ONLY_B,
    DifferenceLayer,
    Paired,
    paired,
)
from napari_medvlm.widgets.evaluate.label_combo import LabelChoice
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import in_background

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

REST_MS = 300
"""How long after a change the figures follow: a stroke of the brush changes a mask many times."""
EVENTS = ("data", "set_data", "labels_update", "visible")
"""Events of a layer after which its labels may be others."""
ROWS = ("Dice", "IoU", "NSD", "HD95", "Volume A", "Volume B", "Difference")
WHICH = {ONLY_A: "only A", ONLY_B: "only B", BOTH: "both"}
SWATCH = 12


@dataclass(frozen=True, eq=False)
class ComparisonResult:
    """Two masks, and how well they agree."""

    pair: Paired
    figures: MaskComparison
    tolerance_mm: float

    def same(self, pair: Paired, tolerance_mm: float) -> bool:
        """Whether it is about these masks."""
        mine, theirs = ((p.a.digest, p.b.digest) for p in (self.pair, pair))
        return mine == theirs and self.tolerance_mm == tolerance_mm and self.pair.note == pair.note


class ComparePanel(QWidget):
    """A and B, their figures, and the layer of their difference.

    It works only while it is seen, and away from the window's thread.

    Attributes
    ----------
    found
        What the figures are of; `None` while there are none.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.result: ComparisonResult | None = None
        self._busy = self._again = False
        self._followed: list[Labels] = []
        self._layer = DifferenceLayer(viewer)
        self.a = LabelChoice(viewer, "First mask.")
        self.b = LabelChoice(viewer, "Second mask (may be in the same layer).")
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.0, 50.0)
        self.tolerance.setSingleStep(0.5)
        self.tolerance.setSuffix(" mm")
        self.tolerance.setValue(Plan().tolerance_mm)
        self.tolerance.setToolTip("Tolerance of the surface Dice (NSD), in mm.")
        self.values = {name: QLabel(NONE) for name in ROWS}
        self.difference = QCheckBox("Show differences")
        self.difference.setToolTip("Show a layer with A only, B only and both.")
        self.legend = {which: QLabel(text) for which, text in WHICH.items()}
        self.copy_button = button("Copy", "Copy the results to the clipboard as a table.")
        self.note = WrappedLabel()
        self._lay_out()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._connect(viewer)
        self._follow()

    def refresh(self) -> None:
        """Compute the figures again, if it is seen and the masks have changed."""
        if not self.isVisible():
            return
        if self._busy:
            self._again = True
            return
        try:
            a, b = self.a.chosen(), self.b.chosen()
        except MedVLMError as error:
            self._show(None, str(error))
            return
        self._busy = True
        tolerance_mm, before = self.tolerance.value(), self.result

        def work() -> ComparisonResult | str:
            try:
                pair = paired(a, b)
            except MedVLMError as error:
                return str(error)
            if before is not None and before.same(pair, tolerance_mm):
                return before
            return ComparisonResult(
                pair, compare_masks(pair.a, pair.b, pair.grid, tolerance_mm), tolerance_mm
            )

        in_background(work, guarded(self._on_compared))

    def close_layer(self) -> None:
        """Take the layer of the difference away."""
        self.difference.setChecked(False)

    def copy(self) -> None:
        """Put the figures on the clipboard, as spreadsheets take them."""
        lines = [f"{name}\t{label.text()}" for name, label in self.values.items()]
        sides = [f"A\t{self.a.layers.currentText()}, {self.a.name}"]
        sides += [f"B\t{self.b.layers.currentText()}, {self.b.name}"]
        QApplication.clipboard().setText("\n".join([*sides, *lines]))

    def showEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """What changed while it was not seen is caught up with; A and B begin as two things."""
        super().showEvent(event)
        others = self.b.layers
        if self.a.layer is self.b.layer and self.a.value == self.b.value and others.count() > 1:
            others.setCurrentIndex((others.currentIndex() + 1) % others.count())
        self._rest.start()

    def _on_compared(self, result: ComparisonResult | str) -> None:
        self._busy = False
        if self._again:
            self._again = False
            self._rest.start()
        if isinstance(result, ComparisonResult):
            self._show(result, " ".join(filter(None, (result.pair.note, result.figures.note))))
        else:
            self._show(None, result)

    def _show(self, result: ComparisonResult | None, note: str) -> None:
        changed = result is not self.result
        self.result = result
        self.note.show_text(note)
        self.copy_button.setEnabled(result is not None)
        texts = dict.fromkeys(ROWS, NONE) if result is None else _texts(result.figures)
        for name, text in texts.items():
            self.values[name].setText(text)
        for which, ml in _sizes(result).items():
            self.legend[which].setText(f"{WHICH[which]}{ml}")
        if changed:
            self._draw()

    def _draw(self) -> None:
        """Show the layer of the difference, or take it away."""
        if self.difference.isChecked() and self.result is not None:
            a, b = (f"{side.layers.currentText()}, {side.name}" for side in (self.a, self.b))
            self._layer.show(self.result.pair, a, b)
        else:
            self._layer.close()

    def _on_removed(self, _: Any) -> None:
        """The person took the layer away."""
        if self.difference.isChecked() and self.result is not None and not self._layer.is_shown:
            self.difference.setChecked(False)

    def _follow(self) -> None:
        """Listen to the layers that are chosen now."""
        for layer in self._followed:
            for name in EVENTS:
                getattr(layer.events, name).disconnect(self._on_change)
        self._followed = list({id(s.layer): s.layer for s in (self.a, self.b) if s.layer}.values())
        for layer in self._followed:
            for name in EVENTS:
                getattr(layer.events, name).connect(self._on_change)
        self._rest.start()

    def _on_change(self, _: Any = None) -> None:
        self._rest.start()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("A", self.a)
        form.addRow("B", self.b)
        form.addRow("NSD tolerance", self.tolerance)
        for name, label in self.values.items():
            form.addRow(name, label)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.difference)
        colors = QHBoxLayout()
        for which, label in self.legend.items():
            swatch = QLabel()
            pixmap = QPixmap(SWATCH, SWATCH)
            pixmap.fill(QColor(COLORS[which]))
            swatch.setPixmap(pixmap)
            colors.addWidget(swatch)
            colors.addWidget(label)
        colors.addStretch()
        layout.addLayout(colors)
        layout.addWidget(self.copy_button)
        layout.addWidget(self.note)
        layout.addStretch()

    def _on_rest(self) -> None:
        guarded(self.refresh)()

    def _connect(self, viewer: Viewer) -> None:
        self._rest.timeout.connect(self._on_rest)
        self.tolerance.valueChanged.connect(lambda _: self._rest.start())
        self.difference.toggled.connect(guarded(lambda _: self._draw()))
        on_click(self.copy_button, self.copy)
        for side in (self.a, self.b):
            side.changed.connect(guarded(self._follow))
        viewer.layers.events.removed.connect(self._on_removed)


def _texts(result: MaskComparison) -> dict[str, str]:
    """The figures as they are shown."""
    larger = result.b_ml - result.a_ml
    share = f" ({100 * larger / result.a_ml:+z.1f} %)" if result.a_ml else ""
    return {
        "Dice": f"{result.dice:.4f}",
        "IoU": f"{result.iou:.4f}",
        "NSD": NONE if result.nsd is None else f"{result.nsd:.4f}",
        "HD95": NONE if result.hd95_mm is None else f"{result.hd95_mm:.2f} mm",
        "Volume A": f"{result.a_ml:.3f} mL",
        "Volume B": f"{result.b_ml:.3f} mL",
        "Difference": f"B - A: {larger:+z.3f} mL{share}",
    }


def _sizes(result: ComparisonResult | None) -> dict[int, str]:
    if result is None:
        return dict.fromkeys(WHICH, "")
    f = result.figures
    sizes = {ONLY_A: f.only_a_ml, ONLY_B: f.only_b_ml, BOTH: f.both_ml}
    return {which: f": {ml:.2f} mL" for which, ml in sizes.items()}
