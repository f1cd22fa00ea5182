"""Markers of points that are equally large on the screen at each zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.layers.convert import KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Points

DIAMETER_PX = 12.0
"""Diameter of the marker of a point, as wide as the glyphs of 3D Slicer's markups."""
_ENTRY = "diameter_px"
"""Entry of the layer's metadata with the diameter of its markers."""


def diameter_px(layer: Layer) -> float | None:
    """Diameter of a layer's markers on the screen; `None` if they scale with the image."""
    value = layer.metadata.get(KEY, {}).get(_ENTRY)
    return None if value is None else float(value)


class ScreenSize:
    """Sets the size of a layer's points with the zoom of a view, while it is referenced.

    napari's ``canvas_size_limits`` limit what is drawn, not what the mouse picks, and thicken the
    border; here the size in the layer's own coordinates follows the camera, so both agree.

    Parameters
    ----------
    view
        The viewer or a side view.
    layer
        Points in three dimensions. Its affine is read; it may have any spacing.
    diameter_px
        In logical pixels of the screen.
    """

    def __init__(self, view: ViewerModel, layer: Points, diameter_px: float = DIAMETER_PX) -> None:
        self._view = view
        self._layer = layer
        self._diameter_px = diameter_px
        layer.metadata.setdefault(KEY, {})[_ENTRY] = diameter_px
        for event in (view.scene.camera.events.zoom, view.dims.events.order):
            event.connect(self.update)
        layer.events.affine.connect(self.update)
        self.update()

    @property
    def size(self) -> float:
        """The size of a point in the layer's coordinates along the axis that is drawn to the
        right, at the zoom of the view.
        """
        across = int(self._view.dims.displayed[-1]) - int(self._view.dims.ndim)
        spacing_mm = float(np.linalg.norm(self._layer.affine.affine_matrix[:-1, :-1][:, across]))
        spacing_mm *= abs(float(self._layer.scale[across]))
        return self._diameter_px / (float(self._view.scene.camera.zoom) * spacing_mm)

    def update(self, _: Any = None) -> None:
        """Set the size of all points and of the next one."""
        size, layer = self.size, self._layer
        if not np.isclose(layer.current_size, size):
            layer.current_size = size
        if not np.allclose(layer.size, size):
            layer.size = size
