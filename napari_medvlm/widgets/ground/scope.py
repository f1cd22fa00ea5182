"""Choosing where to look for phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.orientation import slice_in_view

if TYPE_CHECKING:
    from napari import Viewer

WHOLE, SLICE, AROUND = range(3)


class ScopeRow(QWidget):
    """The whole volume, the slice in view, or the slices around it; and how dense."""

    def __init__(self) -> None:
        super().__init__()
        self.where = QComboBox()
        self.where.addItems(["Whole volume", "Current slice", "Nearby slices"])
        self.where.setToolTip("Part of the image to search, in slices of the current plane.")
        self.reach = millimetres(20, "Distance to either side of the current slice, in mm.")
        self.every = millimetres(5, "Step between the slices searched, in mm; for 2D models.")
        self.scout = QCheckBox("Refine")
        self.scout.setToolTip("Then search every slice around the hits.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widgets in ((self.where, self.reach), (QLabel("Step"), self.every, self.scout)):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget)
            layout.addLayout(row)
        row.addStretch()
        self.where.currentIndexChanged.connect(self._on_where)
        self._on_where(WHOLE)

    def scope(self, viewer: Viewer, volume: Volume) -> Scope:
        """The chosen scope, along the axis across the plane in view."""
        every, scout = self.every.value(), self.scout.isChecked()
        in_view = slice_in_view(viewer, volume.grid)
        if self.where.currentIndex() == WHOLE:
            return Scope(in_view.axis, slice_step_mm=every, coarse_to_fine=scout)
        if self.where.currentIndex() == SLICE:
            return Scope.of_slice(in_view.axis, in_view.index)
        return Scope.near(in_view, self.reach.value(), volume.grid, every, scout)

    def _on_where(self, index: int) -> None:
        self.reach.setEnabled(index == AROUND)
        self.every.setEnabled(index != SLICE)
        self.scout.setEnabled(index != SLICE)


def millimetres(value: float, tooltip: str) -> QDoubleSpinBox:
    """A field for a length in whole millimetres."""
    box = QDoubleSpinBox()
    box.setRange(0, 500)
    box.setDecimals(0)
    box.setSuffix(" mm")
    box.setMaximumWidth(110)
    box.setValue(value)
    box.setToolTip(tooltip)
    return box
