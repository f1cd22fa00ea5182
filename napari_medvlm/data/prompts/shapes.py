"""Prompts that are shapes: points, boxes, scribbles, lassos and lines."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.interface.prompt_arguments import (
    index_of,
    with_volume,
)
from napari_medvlm.data.prompts.base import (
    BasePrompt,
    IndexArray,
    Vector,
    require_near,
    text_of,
    vector_of,
    vectors_of,
    voxels_in,
)
from napari_medvlm.data.volume import Volume

MAX_SIZE_STEP = 12
"""The most steps from the extent of a point that the backend chooses."""


class Point(BasePrompt):
    """A single place.

    Attributes
    ----------
    position_mm
        ``(S, P, L)`` in patient millimetres.
    size_step
        Steps from the extent that the backend chooses to larger (positive) or smaller (negative)
        ones, where the backend has several; others ignore it.
    """

    label: ClassVar[str] = "point"
    kind: Literal["point"] = "point"
    position_mm: Vector
    size_step: Annotated[int, Field(ge=-MAX_SIZE_STEP, le=MAX_SIZE_STEP)] = 0

    @classmethod
    @with_volume
    def at_index(cls, volume: Volume, zyx: ArrayLike, positive: bool = True) -> Point:
        """The point at the voxel index ``(z, y, x)`` of a volume, whole or between voxels."""
        return cls(position_mm=vector_of(volume.grid.to_world(index_of(zyx))), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxel that it lies in: ``(1, 3)``, or ``(0, 3)`` outside the grid."""
        return voxels_in(grid, grid.to_index([self.position_mm]))


class Box(BasePrompt):
    """A box with three pairs of parallel faces, at any angle to the patient's axes.

    Attributes
    ----------
    corner_mm
        One corner, ``(S, P, L)`` in patient millimetres.
    edges_mm
        The three edges that leave that corner, as vectors in millimetres. A box drawn on one slice
        has one edge as long as the slice is thick.
    """

    label: ClassVar[str] = "box"
    kind: Literal["box"] = "box"
    corner_mm: Vector
    edges_mm: tuple[Vector, Vector, Vector]

    @classmethod
    @with_volume
    def at_index(
        cls, volume: Volume | Grid, start: ArrayLike, stop: ArrayLike, positive: bool = True
    ) -> Box:
        """The box of the voxels ``start <= (z, y, x) < stop`` of a volume."""
        grid = volume.grid if isinstance(volume, Volume) else volume
        low, high = index_of(start) - 0.5, index_of(stop) - 0.5
        if (high < low).any():
            raise InvalidPrompt(
                f"The box goes from {text_of(start)} to {text_of(stop)}: its corners are "
                "exchanged.",
                "Give the corner with the lower indices first; the second corner is excluded.",
            )
        if not (high > low).all():
            raise InvalidPrompt(
                f"The box from {text_of(start)} to {text_of(stop)} has no size.",
                "Draw it from corner to corner, at least one voxel wide.",
            )
        edges = (grid.affine[:3, :3] * (high - low)).T
        return cls(
            corner_mm=vector_of(grid.to_world(low)),
            edges_mm=(vector_of(edges[0]), vector_of(edges[1]), vector_of(edges[2])),
            positive=positive,
        )

    @classmethod
    def around(cls, spl_mm: ArrayLike) -> Box:
        """The box along the patient's axes around places ``(n, 3)`` in ``(S, P, L)`` mm."""
        places = np.asarray(spl_mm, np.float64)
        low, high = places.min(axis=0), places.max(axis=0)
        first, second, third = np.diag(high - low)
        edges = vector_of(first), vector_of(second), vector_of(third)
        return cls(corner_mm=vector_of(low), edges_mm=edges)

    def bounds(self, grid: Grid) -> tuple[IndexArray, IndexArray]:
        """Half-open index box ``start, stop`` (each ``(3,)``) of the voxels whose centres it holds.

        For a box at an angle to the grid this is the box around it. At least one voxel thick along
        each axis; cut to the grid, so ``stop <= start`` somewhere means outside.
        """
        return bounds_of(grid.to_index(self.corners()), grid)

    def is_flat(self, grid: Grid) -> bool:
        """Whether it is one voxel thick along exactly one axis of the grid: drawn on a slice."""
        start, stop = self.bounds(grid)
        return int(np.sum(stop - start == 1)) == 1

    def corners(self) -> NDArray[np.float64]:
        """The eight corners ``(8, 3)`` in patient millimetres."""
        steps = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T
        result: NDArray[np.float64] = np.array(self.corner_mm) + steps @ np.array(self.edges_mm)
        return result


def bounds_of(corners: NDArray[np.float64], grid: Grid) -> tuple[IndexArray, IndexArray]:
    """Half-open index boxes ``start, stop`` (each ``(..., 3)``) of boxes, see `Box.bounds`.

    Parameters
    ----------
    corners
        ``(..., 8, 3)`` in indices of the grid.
    """
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    start = np.ceil(np.round(low, 3)).astype(np.int64)
    stop = np.maximum(np.ceil(np.round(high, 3)).astype(np.int64), start + 1)
    return np.maximum(start, 0), np.minimum(stop, grid.shape)


class Scribble(BasePrompt):
    """A stroke of the brush.

    Attributes
    ----------
    points_mm
        ``(N, 3)`` centres of the painted voxels, ``(S, P, L)`` in patient millimetres.
    """

    label: ClassVar[str] = "scribble"
    kind: Literal["scribble"] = "scribble"
    points_mm: tuple[Vector, ...]

    @classmethod
    @with_volume
    def at_index(cls, volume: Volume | Grid, zyx: ArrayLike, positive: bool = True) -> Scribble:
        """The stroke over the voxel indices ``(N, 3)`` of a volume."""
        return cls(points_mm=vectors_of(volume, zyx), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` under the stroke, each once, in order of index."""
        return voxels_in(grid, grid.to_index(np.reshape(self.points_mm, (-1, 3))))


class Lasso(BasePrompt):
    """A closed outline on a plane; what it says, it says of the plane inside the outline.

    Attributes
    ----------
    vertices_mm
        ``(N, 3)`` corners of the outline in order, ``(S, P, L)`` in patient millimetres.
    """

    label: ClassVar[str] = "lasso"
    kind: Literal["lasso"] = "lasso"
    vertices_mm: tuple[Vector, ...]

    @classmethod
    @with_volume
    def at_index(cls, volume: Volume | Grid, zyx: ArrayLike, positive: bool = True) -> Lasso:
        """The outline through the voxel indices ``(N, 3)`` of a volume."""
        return cls(vertices_mm=vectors_of(volume, zyx), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` of the plane inside the outline, each once, in order of index."""
        from skimage.draw import polygon

        vertices = np.reshape(self.vertices_mm, (-1, 3))
        origin = vertices.mean(axis=0)
        plane = np.linalg.svd(vertices - origin, full_matrices=False)[2][:2]
        outline = (vertices - origin) @ plane.T
        require_near(vertices, grid, self.label)
        low, step = outline.min(axis=0), min(grid.spacing) / 2
        samples = np.stack(polygon(*((outline - low) / step).T), axis=-1) * step + low
        return voxels_in(grid, grid.to_index(origin + samples @ plane))


class Line(BasePrompt):
    """A straight line across the object, such as its longest diameter (RECIST).

    Attributes
    ----------
    ends_mm
        Its two ends, ``(S, P, L)`` in patient millimetres.
    """

    label: ClassVar[str] = "line"
    kind: Literal["line"] = "line"
    ends_mm: tuple[Vector, Vector]

    @classmethod
    def at_index(
        cls, volume: Volume | Grid, start: ArrayLike, stop: ArrayLike, positive: bool = True
    ) -> Line:
        """The line between two voxel indices ``(z, y, x)`` of a volume."""
        first, last = vectors_of(volume, np.asarray([start, stop], np.float64))
        if first == last:
            raise InvalidPrompt("The line has no length.", "Draw it from edge to edge.")
        return cls(ends_mm=(first, last), positive=positive)

    @property
    def length_mm(self) -> float:
        """The distance between its ends in millimetres."""
        return math.dist(*self.ends_mm)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` that it passes, each once, in order of index."""
        require_near(np.array(self.ends_mm), grid, self.label)
        ends = grid.to_index(self.ends_mm)
        steps = int(np.ceil(np.round(np.abs(ends[1] - ends[0]).max(), 3))) + 1
        return voxels_in(grid, np.linspace(ends[0], ends[1], max(steps, 2)))
