"""A slab: several slices of an image shown as their maximum, mean or minimum."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.layers.display.visible_values import axis_step

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

TOLERANCE = 1e-6
"""In voxels: slices whose centre is this much farther than half the thickness count."""


class Projection(StrEnum):
    """What is shown of the slices of a slab; the values are napari's projection modes."""

    NONE = "none"
    MAX = "max"
    MEAN = "mean"
    MIN = "min"


@dataclass(frozen=True)
class Slab:
    """How thick a slab is, in millimetres, and what is shown of its slices."""

    projection: Projection = Projection.NONE
    thickness_mm: float = 10.0


class SlabView:
    """Shows an image as a slab around the plane in view: the slices within half the thickness.

    napari projects the slices between two margins of the viewer's dims, which are set again when
    the plane moves, so that the slab is centred on the slice in view. Along an axis whose voxels
    run against the patient's axis, napari needs negative margins. Other images are not projected
    meanwhile, because the margins hold for all layers.

    Parameters
    ----------
    viewer
        Where it is shown. In 3D nothing is projected.

    Attributes
    ----------
    slab
        What is shown.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.slab = Slab()
        self._layer: Image | None = None
        self._modes: dict[Image, str] = {}
        self._events = (
            *(getattr(viewer.dims.events, name) for name in ("point", "order", "ndim", "ndisplay")),
            viewer.layers.events.inserted,
        )
        for event in self._events:
            event.connect(self._update)

    def follow(self, layer: Image | None) -> None:
        """Show the slab of this layer from now on."""
        self._restore()
        self._layer = layer
        self._update()

    def show(self, slab: Slab) -> None:
        """Show another slab; `Projection.NONE` shows the slice alone."""
        self.slab = slab
        self._update()

    def close(self) -> None:
        """Show the slice alone and stop following the viewer."""
        for event in self._events:
            event.disconnect(self._update)
        self.slab = Slab()
        self._restore()

    def clicked_index(self, index: FloatArray, data: NDArray[Any] | Any, grid: Grid) -> FloatArray:
        """Where a click in the slab lies: on the brightest voxel of a maximum, say.

        Parameters
        ----------
        index
            ``(3,)`` where the click lies in the slice in view, in voxels of ``grid``.
        data
            ``(z, y, x[, c])`` intensities on ``grid``.
        grid
            The display grid of the image, with the axes S, P, L.

        Returns
        -------
        The index of the brightest voxel across the slab in a maximum, of the darkest in a minimum;
        of several the one that is nearest to the slice in view. Else ``index`` itself, also outside
        the image.
        """
        axis = self._axis_across()
        if axis is None or not self.is_projected or self.slab.projection is Projection.MEAN:
            return index
        spatial = axis - (self.viewer.dims.ndim - 3)
        step = grid.affine[spatial, spatial]
        dims = self.viewer.dims
        first = round(index[spatial] - dims.margin_left[axis] / step)
        last = round(index[spatial] + dims.margin_right[axis] / step)
        low, high = max(first, 0), min(last + 1, grid.shape[spatial])
        nearest = np.round(index).astype(int)
        inside = (nearest >= 0) & (nearest < grid.shape)
        inside[spatial] = high > low
        if not inside.all():
            return index
        keys: list[Any] = nearest.tolist()
        keys[spatial] = slice(low, high)
        column = np.asarray(data[tuple(keys)], float)
        column = column.sum(axis=-1) if column.ndim == 2 else column
        is_max = self.slab.projection is Projection.MAX
        extreme = np.flatnonzero(column == (column.max() if is_max else column.min())) + low
        result = np.array(index, float)
        result[spatial] = extreme[np.argmin(np.abs(extreme - index[spatial]))]
        return result

    @property
    def is_projected(self) -> bool:
        """Whether several slices are shown."""
        return self._layer is not None and self._layer in self._modes

    def _axis_across(self) -> int | None:
        """The axis of the viewer that the plane is cut across; `None` without a third axis."""
        dims = self.viewer.dims
        layer = self._layer
        if layer is None or layer.ndim < 3 or len(dims.order) < layer.ndim or dims.ndisplay == 3:
            return None
        return int(dims.order[-3])

    def _update(self, _: object = None) -> None:
        axis = self._axis_across()
        layer = self._layer
        slices = 0
        if layer is not None and axis is not None and layer in self.viewer.layers:
            step = axis_step(layer, axis - (self.viewer.dims.ndim - layer.ndim))
            slices = int(self.slab.thickness_mm / 2 / abs(step) + TOLERANCE)
        if layer is None or axis is None or not slices or self.slab.projection is Projection.NONE:
            self._restore()
            return
        for image in self._images():
            self._modes.setdefault(image, str(image.projection_mode))
            if image != layer:
                image.projection_mode = "none"
        self._set_margins(axis, slices, layer)
        layer.projection_mode = str(self.slab.projection)

    def _set_margins(self, axis: int, slices: int, layer: Image) -> None:
        """Have the slab reach as many slices to both sides of the slice that is nearest."""
        dims = self.viewer.dims
        own = axis - (dims.ndim - layer.ndim)
        step = axis_step(layer, own)
        index = float(np.asarray(layer.world_to_data(dims.point))[own])
        offset = index - round(index)
        for name, count in (("margin_left", slices + offset), ("margin_right", slices - offset)):
            margins = [0.0] * dims.ndim
            margins[axis] = round(count * step, 9)
            if tuple(margins) != tuple(getattr(dims, name)):
                setattr(dims, name, tuple(margins))

    def _images(self) -> list[Image]:
        from napari.layers import Image

        return [layer for layer in self.viewer.layers if isinstance(layer, Image)]

    def _restore(self) -> None:
        """Show the slice alone."""
        if not self._modes:
            return
        for image in self._modes:
            image.projection_mode = "none"  # before the margins, which it may not bear
        dims = self.viewer.dims
        dims.margin_left = dims.margin_right = (0.0,) * dims.ndim
        modes, self._modes = self._modes, {}
        for image, mode in modes.items():
            image.projection_mode = mode
