"""A box as a shape that napari can show, in 2D on the plane in view and in 3D as a wire frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.prompts import Box, IndexArray
from napari_medvlm.data.prompts.shapes import bounds_of
from napari_medvlm.layers.orientation import axis_across, position_in_view

if TYPE_CHECKING:
    from napari import Viewer

Vertices = NDArray[np.float64]
WIRE = (0, 1, 3, 2, 0, 4, 5, 7, 6, 4, 5, 1, 3, 7, 6, 2)
"""A walk along all edges of a box that never turns back; corners count up as zyx bits."""


def transform_of(grid: Grid) -> dict[str, Any]:
    """The ``scale`` and ``affine`` of a Shapes layer whose data are indices of a grid.

    napari's handles of shapes have one size on the screen only if the spacing is in the scale: the
    mouse picks them in data coordinates divided by it.
    """
    spacing = np.asarray(grid.spacing, float)
    return {"scale": spacing, "affine": grid.affine @ np.diag([*(1 / spacing), 1.0])}


@dataclass(frozen=True, eq=False)
class IndexBox:
    """A box in indices of a grid.

    Attributes
    ----------
    corners
        ``(8, 3)``, not rounded.
    start, stop
        ``(3,)``: half-open index box of its voxels, see `Box.bounds`.
    """

    corners: Vertices
    start: IndexArray
    stop: IndexArray

    @classmethod
    def of(cls, box: Box, grid: Grid) -> IndexBox:
        """A box on a grid."""
        corners = grid.to_index(box.corners())
        return cls(corners, *bounds_of(corners, grid))

    def is_in(self, plane: ViewPlane) -> bool:
        """Whether the plane crosses the box."""
        start, at, stop = (values[plane.axis] for values in (self.start, plane.zyx, self.stop))
        return bool(start - 0.5 <= at < stop - 0.5)

    def drawn(self, plane: ViewPlane) -> tuple[Vertices, str]:
        """The vertices ``(N, 3)`` of its shape in indices, and napari's name of the shape."""
        thick = self.stop - self.start
        is_flat = int(np.sum(thick == 1)) == 1
        if plane.ndisplay == 3 and not is_flat:
            return self.corners[list(WIRE)], "path"
        return self._rectangle(int(np.argmin(thick)) if is_flat else plane.axis, plane), "rectangle"

    def _rectangle(self, axis: int, plane: ViewPlane) -> Vertices:
        """The rectangle on the plane in view, or on the slice that the box was drawn on."""
        at = np.clip(np.round(plane.zyx[axis]), self.start[axis], self.stop[axis] - 1)
        low, high = self.corners.min(axis=0), self.corners.max(axis=0)
        down, across = (a for a in range(3) if a != axis)
        vertices = np.full((4, 3), float(at))
        vertices[:, down] = [low[down], low[down], high[down], high[down]]
        vertices[:, across] = [low[across], high[across], high[across], low[across]]
        return vertices


@dataclass(frozen=True, eq=False)
class ViewPlane:
    """The plane that a viewer shows.

    Attributes
    ----------
    ndisplay
        2 or 3.
    axis
        The axis of the grid across the plane.
    zyx
        ``(3,)``: where the planes are, in indices of a grid, not rounded.
    """

    ndisplay: int
    axis: int
    zyx: FloatArray

    @classmethod
    def of(cls, viewer: Viewer, grid: Grid) -> ViewPlane:
        """The plane in view."""
        zyx = grid.to_index(position_in_view(viewer))
        return cls(int(viewer.dims.ndisplay), axis_across(viewer), zyx)


def draw_box(box: Box, grid: Grid, viewer: Viewer) -> tuple[Vertices, str]:
    """The vertices ``(N, 3)`` of a box in indices of a grid, and napari's name of the shape."""
    return IndexBox.of(box, grid).drawn(ViewPlane.of(viewer, grid))
