"""Points, outlines and masks of one study at the same position in the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.layers.convert import labels_and_grid, labels_data
from napari_medvlm.layers.label_names import names_of

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

Transform = Callable[[FloatArray], FloatArray]


def carried(layer: Layer, forward: Transform, backward: Transform, grid: Grid, name: str) -> Layer:
    """A layer of one study at the same position in the other.

    Parameters
    ----------
    layer
        Points, shapes or labels.
    forward, backward
        Take points ``(n, 3)`` in ``(S, P, L)`` mm to the other study and back.
    grid
        Of the other study: labels are resampled on it, nearest neighbour.
    name
        Of the new layer.

    Raises
    ------
    InvalidPrompt
        If the layer is of another type, or empty.
    """
    from napari.layers import Labels, Layer, Points, Shapes

    if isinstance(layer, Labels):
        return Layer.create(*labels_data(resampled(layer, backward, grid, name)))
    if not isinstance(layer, Points | Shapes) or layer.ndim != 3 or not len(layer.data):
        raise InvalidPrompt(
            "The selected layer has no points, boxes or objects to carry over.",
            "Select a layer with points, shapes or labels in three dimensions.",
        )
    if isinstance(layer, Points):
        points = forward(_world(layer, np.asarray(layer.data)))
        return Points(points, name=name, size=layer.size, face_color=layer.face_color)
    shapes = [forward(_world(layer, np.asarray(shape))) for shape in layer.data]
    kinds = ["polygon" if k in ("rectangle", "ellipse") else k for k in layer.shape_type]
    flat = [_flattened(vertices) for vertices in shapes]
    return Shapes(
        flat, shape_type=kinds, name=name, edge_color=layer.edge_color, face_color=[0, 0, 0, 0]
    )


def _world(layer: Layer, data: NDArray[Any]) -> FloatArray:
    return np.array([layer.data_to_world(tuple(row)) for row in data], np.float64)


def _flattened(vertices: FloatArray) -> FloatArray:
    """Vertices of a nearly flat outline in the plane in which it varies least: its mean there."""
    across = int(np.ptp(vertices, axis=0).argmin())
    flat = vertices.copy()
    flat[:, across] = vertices[:, across].mean()
    return flat


def resampled(layer: Labels, backward: Transform, grid: Grid, name: str) -> NamedLabels:
    """The labels of a layer on the grid of the other study, nearest neighbour; see `carried`."""
    from scipy.ndimage import map_coordinates

    values, own = labels_and_grid(layer)
    result = np.zeros(grid.shape, values.dtype)
    plane = np.moveaxis(np.indices(grid.shape[1:]), 0, -1).reshape(-1, 2).astype(np.float64)
    for k in range(grid.shape[0]):
        index = np.column_stack([np.full(len(plane), float(k)), plane])
        source = own.to_index(backward(grid.to_world(index)))
        result[k] = map_coordinates(values, source.T, order=0).reshape(grid.shape[1:])
    return NamedLabels(result, grid, names_of(layer), name)
