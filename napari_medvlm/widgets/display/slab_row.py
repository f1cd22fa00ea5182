"""Showing several slices as one: their maximum, mean or minimum, and how thick the slab is."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from napari_medvlm.layers.display.slab import Projection, Slab, SlabView
from napari_medvlm.widgets.runtime.notify import guarded

TITLES = {
    Projection.NONE: "One slice",
    Projection.MAX: "Maximum",
    Projection.MEAN: "Mean",
    Projection.MIN: "Minimum",
}
LARGEST_MM = 500.0


class SlabRow(QWidget):
    """A list of projections and the thickness of the slab.

    Parameters
    ----------
    view
        What shows the slab.
    """

    def __init__(self, view: SlabView) -> None:
        super().__init__()
        self._view = view
        self._last = Projection.MAX
        self.projection = QComboBox()
        self.projection.setToolTip(
            "Project the slices around the current one. A click in a maximum projection is placed"
            " on the brightest voxel of the slab, in a minimum projection on the darkest. (Shift+M)"
        )
        for projection, title in TITLES.items():
            self.projection.addItem(title, projection)
        self.thickness = QDoubleSpinBox()
        self.thickness.setRange(0.1, LARGEST_MM)
        self.thickness.setDecimals(1)
        self.thickness.setSuffix(" mm")
        self.thickness.setValue(view.slab.thickness_mm)
        self.thickness.setToolTip("Slab thickness: the slices whose centres are within half of it.")
        self.thickness.setKeyboardTracking(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.projection, 1)
        layout.addWidget(self.thickness, 1)
        show = guarded(lambda _: self._show())
        self.projection.currentIndexChanged.connect(show)
        self.thickness.valueChanged.connect(show)

    def choose(self, projection: Projection) -> None:
        """Show this projection, or one slice."""
        self.projection.setCurrentIndex(list(TITLES).index(projection))

    def toggle(self) -> None:
        """Show the slab that was shown last, or one slice if there is a slab."""
        is_slab = self._view.slab.projection is not Projection.NONE
        self.choose(Projection.NONE if is_slab else self._last)

    def _show(self) -> None:
        projection = Projection(self.projection.currentData())
        if projection is not Projection.NONE:
            self._last = projection
        self._view.show(Slab(projection, self.thickness.value()))
