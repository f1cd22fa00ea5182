"""A box as a shape that napari can show, in 2D on the plane in view and in 3D as a wire frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Box
from napari_medvlm.layers.orientation import axis_across, position_in_view

if TYPE_CHECKING:
    from napari import Viewer

Vertices = NDArray[np.float64]
WIRE = (0, 1, 3, 2, 0, 4, 5, 7, 6, 4, 5, 1, 3, 7, 6, 2)
"""A walk along all edges of a box that never turns back; corners count up as zyx bits."""


def draw_box(box: Box, grid: Grid, viewer: Viewer) -> tuple[Vertices, str]:
    """The vertices ``(N, 3)`` of a box in indices of a grid, and napari's name of the shape."""
    corners = grid.to_index(box.corners())
    if viewer.dims.ndisplay == 3 and not box.is_flat(grid):
        return corners[list(WIRE)], "path"
    return _rectangle(corners, box, grid, viewer), "rectangle"


def _rectangle(corners: Vertices, box: Box, grid: Grid, viewer: Viewer) -> Vertices:
    """The rectangle of a box on the plane in view, or on the one that it was drawn on."""
    start, stop = box.bounds(grid)
    axis = int(np.argmin(stop - start)) if box.is_flat(grid) else axis_across(viewer)
    at = float(np.clip(_index_in_view(axis, grid, viewer), start[axis], stop[axis] - 1))
    low, high = corners.min(axis=0), corners.max(axis=0)
    down, across = (a for a in range(3) if a != axis)
    vertices = np.full((4, 3), at)
    vertices[:, down] = [low[down], low[down], high[down], high[down]]
    vertices[:, across] = [low[across], high[across], high[across], low[across]]
    return vertices


def _index_in_view(axis: int, grid: Grid, viewer: Viewer) -> float:
    return float(np.round(grid.to_index(position_in_view(viewer))[axis]))
