"""The intensities that the canvas shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

PROJECTIONS: dict[str, Any] = {"max": np.max, "mean": np.mean, "min": np.min, "sum": np.sum}
"""numpy's functions for napari's projection modes of slabs."""


def visible_values(
    viewer: Viewer, layer: Image, corner: Sequence[float], opposite: Sequence[float]
) -> NDArray[Any]:
    """The intensities of a layer in a rectangle of the plane in view, projected if it is a slab.

    Parameters
    ----------
    viewer, layer
        The viewer, which shows a plane, and one of its image layers.
    corner, opposite
        Two corners of the rectangle in the viewer's world.

    Returns
    -------
    A 2D array, which is empty if the rectangle lies outside the image.
    """
    first = np.asarray(layer.world_to_data(corner))
    second = np.asarray(layer.world_to_data(opposite))
    extra = viewer.dims.ndim - layer.ndim
    displayed = {axis - extra for axis in viewer.dims.displayed}
    mode = str(layer.projection_mode)
    data = layer.data[0] if layer.multiscale else layer.data
    ranges = []
    for axis in range(layer.ndim):
        low = high = first[axis]
        if axis in displayed:
            low, high = sorted((first[axis], second[axis]))
        elif mode != "none":
            step = axis_step(layer, axis)
            low = low - viewer.dims.margin_left[axis + extra] / step
            high = high + viewer.dims.margin_right[axis + extra] / step
        start, stop = max(round(low), 0), min(round(high) + 1, data.shape[axis])
        ranges.append(slice(start, max(start, stop)))
    values = np.asarray(data[tuple(ranges)])
    across = tuple(axis for axis in range(layer.ndim) if axis not in displayed)
    if not values.size or not across:
        return values
    result: NDArray[Any] = PROJECTIONS.get(mode, np.max)(values, axis=across)
    return result


def axis_step(layer: Image, axis: int) -> float:
    """Signed distance of two voxels along an axis of a layer, in the world's units."""
    unit = np.zeros(layer.ndim)
    unit[axis] = 1
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    return float((np.asarray(layer.data_to_world(unit)) - origin)[axis])
