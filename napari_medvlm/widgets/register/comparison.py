"""Comparing a registered prior with the current image: over it, subtracted, or side by side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.pairing.pairing_layers import (
    CHECKERBOARD,
    SUBTRACTION,
    VOLUME_CHANGE,
    PairedStudies,
    PairingLayers,
)
from napari_medvlm.widgets.parts.buttons import button, on_click, row_of
from napari_medvlm.widgets.register.side_by_side import TITLE, PriorPanel
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

NOT_PAIRED = "Choose the current image and its prior, then register."


class ComparisonForm(QWidget):
    """Shows the registered prior over or next to the current image, and compares the two.

    Parameters
    ----------
    viewer
        Where the two studies are shown.

    Attributes
    ----------
    layers
        The layers of the pair; None while nothing is registered.
    panel
        The view of the prior next to the current image; None while there is none.
    changed
        A comparison was added or removed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.layers: PairingLayers | None = None
        self.panel: PriorPanel | None = None
        self._studies: PairedStudies | None = None
        self.blink_button = button("Blink", "Show the prior or the current image (Shift+G).")
        self.board = button("Checkerboard", "Show both in turn in fields.", checkable=True)
        self.difference = button("Subtract", "Show current minus prior.", checkable=True)
        self.growth = button(
            "Volume change",
            "Show growth (orange) and shrinkage (blue) in per cent of volume, up to 50 %; "
            "needs a deformable registration.",
            checkable=True,
        )
        self.beside = button("Side by side", "Show the prior in a view of its own.", checkable=True)
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0, 1e9)
        self.threshold.setDecimals(1)
        self.threshold.setToolTip("Hide differences below this, in the current image's units.")
        self._lay_out()
        on_click(self.blink_button, self.blink)
        self.beside.toggled.connect(guarded(self.show_beside))
        self.board.toggled.connect(partial(self._toggle, CHECKERBOARD))
        self.difference.toggled.connect(partial(self._toggle, SUBTRACTION))
        self.growth.toggled.connect(guarded(partial(self._toggle, VOLUME_CHANGE)))
        self.threshold.valueChanged.connect(self._on_threshold)

    def begin(self, current: Image, prior: Image) -> None:
        """Prepare the layers of a pair that is being registered."""
        self.layers = PairingLayers(self.viewer, current, prior)

    def show_studies(self, studies: PairedStudies) -> None:
        """Show the registered prior; comparisons that are shown are made again."""
        layers = self.layers
        if layers is None:
            return
        self._studies = studies
        layers.show(studies)
        if self.panel is not None and self.panel.view is not None:
            self.panel.view.show(studies.moved, self._prior_limits())
            layers.show_over(False)

    def preview(self, moved: Volume) -> None:
        """Show the prior elsewhere, before the pairing is replaced; comparisons stay."""
        if self.layers is not None:
            self.layers.preview(moved)
        if self.panel is not None and self.panel.view is not None:
            self.panel.view.show(moved, self._prior_limits())

    def clear(self) -> None:
        """Remove the registered prior and the comparisons."""
        self._close_panel()
        layers, self.layers, self._studies = self.layers, None, None
        if layers is not None:
            layers.close()

    def blink(self) -> None:
        """Show the registered prior instead of the current image, or the other way round."""
        self._pairing_layers().blink()

    def show_current(self) -> None:
        """Show the current image without the registered prior over it."""
        self._pairing_layers().show_over(False)

    def show_original(self, on: bool) -> None:
        """Show the prior's own layer at its own position instead of the registered one."""
        self._pairing_layers().show_original(on)

    def show_beside(self, on: bool) -> None:
        """Show the prior in a view of its own next to the current image, or over it again."""
        if not on:
            self._close_panel()
            return
        layers = self._pairing_layers()
        if self.panel is not None or self._studies is None:
            return
        self.panel = PriorPanel(self.viewer, self._studies.moved, self._prior_limits())
        self.panel.closed.connect(self._on_panel_closed)
        layers.show_over(False)
        self.viewer.window.add_dock_widget(self.panel, name=TITLE, area="right")
        self.changed.emit()

    def show_state(self, is_enabled: bool) -> None:
        """Show which comparisons are on, and whether there is a pair to compare."""
        for widget in (self.blink_button, self.beside, self.board, self.difference):
            widget.setEnabled(is_enabled)
        self.growth.setEnabled(is_enabled and self._is_deformable)
        for box, on in (
            (self.board, self._has(CHECKERBOARD)),
            (self.difference, self._has(SUBTRACTION)),
            (self.growth, self._has(VOLUME_CHANGE)),
            (self.beside, self.panel is not None),
        ):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)
        self.threshold.setEnabled(self.difference.isChecked())

    def _lay_out(self) -> None:
        thresholds = QFormLayout()
        thresholds.addRow("Hide below", self.threshold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row_of(self.beside, self.blink_button))
        layout.addLayout(row_of(self.board, self.difference))
        layout.addLayout(row_of(self.growth))
        layout.addLayout(thresholds)

    @property
    def _is_deformable(self) -> bool:
        return self._studies is not None and self._studies.pairing.displacement_mm is not None

    def _has(self, comparison: str) -> bool:
        return self._studies is not None and self.layers is not None and self.layers.has(comparison)

    def _prior_limits(self) -> tuple[float, float]:
        low, high = self._pairing_layers().prior.contrast_limits
        return float(low), float(high)

    def _close_panel(self) -> None:
        panel = self.panel
        if panel is not None and panel.view is not None:
            self.viewer.window.remove_dock_widget(panel)
        self._on_panel_closed()

    def _on_panel_closed(self) -> None:
        panel, self.panel = self.panel, None
        if panel is not None and self.layers is not None:
            self.layers.show_over(True)
        self.changed.emit()

    def _toggle(self, comparison: str, on: bool) -> None:
        if self.layers is None or self._studies is None:
            return
        self.layers.toggle(comparison, on)
        if comparison == SUBTRACTION and on:
            self.threshold.setValue(self.layers.threshold)
        self.changed.emit()

    def _on_threshold(self, value: float) -> None:
        if self.layers is not None:
            self.layers.set_threshold(value)

    def _pairing_layers(self) -> PairingLayers:
        if self.layers is None or self._studies is None:
            raise InvalidImage("Nothing is registered.", NOT_PAIRED)
        return self.layers
