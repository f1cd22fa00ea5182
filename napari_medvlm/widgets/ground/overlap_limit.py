"""The overlap from which on the weaker of two regions of a phrase is hidden."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import distinct
from napari_medvlm.data.region import Region


class OverlapLimit(QWidget):
    """A slider from 0 to 1, which hides nothing; hidden while no phrase has several regions.

    Attributes
    ----------
    changed
        There is another limit.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1)
        self.slider.setValue(1)
        self.slider.setToolTip(
            "Non-maximum suppression: of boxes of a phrase that overlap more than this "
            "(intersection over union), show only the one with the highest score. 1: all."
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Maximum overlap", self.slider)
        self.slider.valueChanged.connect(lambda _: self.changed.emit())
        self.hide()

    def distinct(self, regions: Sequence[Region], grid: Grid, most: int) -> Sequence[Region]:
        """The regions of a phrase without those that the limit hides, at most so many."""
        limit = self.slider.value()
        return regions[:most] if limit >= 1 else distinct(regions, limit, grid, most)
