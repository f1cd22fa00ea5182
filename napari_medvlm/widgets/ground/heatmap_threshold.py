"""The threshold from which on a heatmap is a mask."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.region import Region


class HeatmapThreshold(QWidget):
    """A slider from 0, which leaves heatmaps as they are, to 1; hidden while there are none.

    Attributes
    ----------
    changed
        There is another threshold.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1)
        self.slider.setToolTip(
            "Threshold for masks of the heatmaps, to measure or to send to Segment. 0: no masks."
        )
        self._masked: dict[int, tuple[Region, Region]] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Mask heatmap from", self.slider)
        self.slider.valueChanged.connect(self._on_value)
        self.hide()

    def masked(self, region: Region, grid: Grid) -> Region:
        """A region with the mask of its heatmap; the same object for the same region."""
        if self.slider.value() <= 0 or region.heatmap is None:
            return region
        if id(region) not in self._masked:
            self._masked[id(region)] = region, region.masked(self.slider.value(), grid)
        return self._masked[id(region)][1]

    def _on_value(self, _: float) -> None:
        self._masked.clear()
        self.changed.emit()
