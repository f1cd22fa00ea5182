"""What a person says about an object: prompts, in patient millimetres for any grid to read."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, Index, apply_affine, round_index, same_grid
from napari_medvlm.data.interface.prompt_arguments import (
    EXAMPLES,
    how_to_make,
    index_of,
    with_volume,
)
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
IndexArray = NDArray[np.int64]
LARGEST_GRID = 2**34
"""Most voxels of the grid of a stored mask."""
FAR = 4
"""How many times the size of an image an outline may reach beyond it: its voxels are listed."""

MAX_SIZE_STEP = 12
"""The most steps from the extent of a point that the backend chooses."""


class _Prompt(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    label: ClassVar[str]
    """What people call this kind of prompt."""
    if not TYPE_CHECKING:

        def __init__(self, *args: object, **values: object) -> None:
            if args:
                raise InvalidPrompt(
                    f"{type(self).__name__} takes no position without a volume.",
                    how_to_make(type(self)),
                )
            super().__init__(**values)

    positive: bool = True
    """Whether it says *this belongs to the object*, or *this does not*."""


class Point(_Prompt):
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
        return cls(position_mm=_vector(volume.grid.to_world(index_of(zyx))), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxel that it lies in: ``(1, 3)``, or ``(0, 3)`` outside the grid."""
        return _inside(grid, grid.to_index([self.position_mm]))


class Box(_Prompt):
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
                f"The box goes from {_text(start)} to {_text(stop)}: its corners are exchanged.",
                "Give the corner with the lower indices first; the second corner is excluded.",
            )
        if not (high > low).all():
            raise InvalidPrompt(
                f"The box from {_text(start)} to {_text(stop)} has no size.",
                "Draw it from corner to corner, at least one voxel wide.",
            )
        edges = (grid.affine[:3, :3] * (high - low)).T
        return cls(
            corner_mm=_vector(grid.to_world(low)),
            edges_mm=(_vector(edges[0]), _vector(edges[1]), _vector(edges[2])),
            positive=positive,
        )

    def bounds(self, grid: Grid) -> tuple[IndexArray, IndexArray]:
        """Half-open index box ``start, stop`` (each ``(3,)``) of the voxels whose centres it holds.

        For a box at an angle to the grid this is the box around it. At least one voxel thick along
        each axis; cut to the grid, so ``stop <= start`` somewhere means outside.
        """
        corners = grid.to_index(self.corners())
        low, high = corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5
        start = np.ceil(np.round(low - 0.5, 3)).astype(np.int64)
        stop = np.maximum(np.ceil(np.round(high - 0.5, 3)).astype(np.int64), start + 1)
        return np.maximum(start, 0), np.minimum(stop, grid.shape)

    def is_flat(self, grid: Grid) -> bool:
        """Whether it is one voxel thick along exactly one axis of the grid: drawn on a slice."""
        start, stop = self.bounds(grid)
        return int(np.sum(stop - start == 1)) == 1

    def corners(self) -> NDArray[np.float64]:
        """The eight corners ``(8, 3)`` in patient millimetres."""
        steps = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T
        result: NDArray[np.float64] = np.array(self.corner_mm) + steps @ np.array(self.edges_mm)
        return result


class Scribble(_Prompt):
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
        return cls(points_mm=_vectors(volume, zyx), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` under the stroke, each once, in order of index."""
        return _inside(grid, grid.to_index(np.reshape(self.points_mm, (-1, 3))))


class Lasso(_Prompt):
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
        return cls(vertices_mm=_vectors(volume, zyx), positive=positive)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` of the plane inside the outline, each once, in order of index."""
        from skimage.draw import polygon

        vertices = np.reshape(self.vertices_mm, (-1, 3))
        origin = vertices.mean(axis=0)
        plane = np.linalg.svd(vertices - origin, full_matrices=False)[2][:2]
        outline = (vertices - origin) @ plane.T
        _require_near(vertices, grid, self.label)
        low, step = outline.min(axis=0), min(grid.spacing) / 2
        samples = np.stack(polygon(*((outline - low) / step).T), axis=-1) * step + low
        return _inside(grid, grid.to_index(origin + samples @ plane))


class Line(_Prompt):
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
        first, last = _vectors(volume, np.asarray([start, stop], np.float64))
        if first == last:
            raise InvalidPrompt("The line has no length.", "Draw it from edge to edge.")
        return cls(ends_mm=(first, last), positive=positive)

    @property
    def length_mm(self) -> float:
        """The distance between its ends in millimetres."""
        return math.dist(*self.ends_mm)

    def voxels(self, grid: Grid) -> IndexArray:
        """The voxels ``(N, 3)`` that it passes, each once, in order of index."""
        _require_near(np.array(self.ends_mm), grid, self.label)
        ends = grid.to_index(self.ends_mm)
        steps = int(np.ceil(np.round(np.abs(ends[1] - ends[0]).max(), 3))) + 1
        return _inside(grid, np.linspace(ends[0], ends[1], max(steps, 2)))


class InitialMask(_Prompt):
    """A mask to start from: it takes the place of all that was said of the object before it.

    Attributes
    ----------
    grid_shape, affine
        The grid that the mask was made on.
    start, shape
        Where its crop begins in that grid, and the crop's shape; ``(z, y, x)``.
    bits
        The crop's voxels in C order, packed, zlib-compressed, as base64.
    """

    label: ClassVar[str] = "initial mask"
    kind: Literal["initial_mask"] = "initial_mask"
    positive: Literal[True] = True
    grid_shape: tuple[int, int, int]
    affine: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    bits: str

    @classmethod
    @with_volume
    def of(cls, volume: Volume | Grid, mask: NDArray[Any] | Mask) -> InitialMask:
        """The prompt of a mask ``(z, y, x)`` on a volume's grid."""
        grid = volume.grid if isinstance(volume, Volume) else volume
        cut = mask if isinstance(mask, Mask) else Mask.of(mask)
        if cut.shape != grid.shape:
            raise InvalidPrompt(
                f"The mask has the shape {cut.shape}, the image {grid.shape}.",
                "Resample the mask to the image first.",
            )
        packed = zlib.compress(np.packbits(cut.crop).tobytes())
        return cls(
            grid_shape=grid.shape,
            affine=tuple(map(tuple, grid.affine.tolist())),
            start=cut.start,
            shape=cut.crop.shape,
            bits=base64.b85encode(packed).decode("ascii"),
        )

    def mask(self, grid: Grid) -> Mask:
        """The mask on a grid: itself on its own, the nearest voxels on another.

        Raises
        ------
        InvalidPrompt
            If the stored mask is damaged, or does not lie in its grid.
        """
        crop = self._crop()
        own = Grid(self.grid_shape, np.array(self.affine))
        mask = Mask(crop, self.start, self.grid_shape)
        if same_grid(own, grid):
            return mask
        return Mask.of(np.asarray(Reslice(mask.full().view(np.uint8), own, grid, order=0)))

    def _crop(self) -> NDArray[np.bool_]:
        """The crop; at most the bytes that its shape needs are unpacked."""
        fits = all(
            start >= 0 and size > 0 and start + size <= length
            for start, size, length in zip(self.start, self.shape, self.grid_shape, strict=True)
        )
        empty = 0 in self.shape and min(*self.start, *self.shape) >= 0
        size = math.prod(self.shape)
        if not (fits or empty) or math.prod(self.grid_shape) > LARGEST_GRID:
            raise _damaged_mask(f"its shape {self.shape} does not fit {self.grid_shape}")
        expected = (size + 7) // 8
        try:
            unpacking = zlib.decompressobj()
            packed = unpacking.decompress(base64.b85decode(self.bits), expected + 1)
        except (ValueError, zlib.error) as error:
            raise _damaged_mask("it cannot be unpacked") from error
        if len(packed) != expected:
            raise _damaged_mask(f"it has not the {expected} bytes of its shape")
        crop = np.unpackbits(np.frombuffer(packed, np.uint8), count=size)
        return crop.astype(bool).reshape(self.shape)


def _damaged_mask(reason: str) -> InvalidPrompt:
    return InvalidPrompt(
        f"A stored mask is damaged: {reason}.", "Delete the object, or open an earlier copy."
    )


Prompt = Annotated[Point | Box | Scribble | Lasso | Line | InitialMask, Field(discriminator="kind")]
PROMPT_TYPES = (Point, Box, Scribble, Lasso, Line, InitialMask)


def require_prompt(prompt: object) -> None:
    """Raise `InvalidPrompt` unless an object is a prompt."""
    if not isinstance(prompt, PROMPT_TYPES):
        raise InvalidPrompt(
            f"{type(prompt).__name__} is not a prompt.",
            f"Make one with {EXAMPLES['Point']} or {EXAMPLES['Box']}.",
        )


def check_prompt(prompt: Prompt, grid: Grid) -> None:
    """Raise `InvalidPrompt` unless the prompt says something about the grid."""
    match prompt:
        case InitialMask():
            count = prompt.mask(grid).voxels
        case Box():
            start, stop = prompt.bounds(grid)
            count = int(np.prod(np.maximum(stop - start, 0)))
        case Lasso() if len(prompt.vertices_mm) < 3:
            count = 0
        case _:
            count = len(prompt.voxels(grid))
    if count:
        return
    if isinstance(prompt, Point):
        raise InvalidPrompt(
            f"The point {_text(grid.to_index(prompt.position_mm))} (z, y, x) lies outside the "
            f"image, whose shape is {grid.shape}.",
            "Click inside the image.",
        )
    raise InvalidPrompt(
        f"The {prompt.label} covers no voxel of the image.",
        "Draw it over the image, at least one voxel large.",
    )


def _require_near(points: NDArray[np.float64], grid: Grid, label: str) -> None:
    """Raise `InvalidPrompt` if points ``(N, 3)`` in mm lie `FAR` image sizes from the image."""
    zyx = grid.to_index(points)
    size = np.array(grid.shape)
    if len(points) and not ((zyx >= -FAR * size - 1) & (zyx <= (1 + FAR) * size + 1)).all():
        raise InvalidPrompt(
            f"The {label} reaches far outside the image.", "Draw it over the image."
        )


def _inside(grid: Grid, zyx: NDArray[np.float64]) -> IndexArray:
    index = round_index(np.round(zyx, 3))
    return np.unique(index[grid.contains(index)], axis=0)


def enclosing_box(spl_mm: ArrayLike) -> Box:
    """The box along the patient's axes around places ``(n, 3)`` in ``(S, P, L)`` mm."""
    places = np.asarray(spl_mm, np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    edges = np.diag(high - low)
    return Box(
        corner_mm=_vector(low), edges_mm=(_vector(edges[0]), _vector(edges[1]), _vector(edges[2]))
    )


def _vector(values: ArrayLike) -> Vector:
    s, p, left = (float(v) for v in np.round(np.asarray(values, np.float64), 6))
    if not np.isfinite((s, p, left)).all():
        raise InvalidPrompt(
            f"The place {_text((s, p, left))} of a prompt is not finite.", "Place it in the image."
        )
    return s, p, left


def _vectors(volume: Volume | Grid, zyx: ArrayLike) -> tuple[Vector, ...]:
    grid = volume.grid if isinstance(volume, Volume) else volume
    points = apply_affine(grid.affine, np.reshape(np.asarray(zyx, np.float64), (-1, 3)))
    return tuple(map(_vector, points))


def _text(zyx: ArrayLike | Iterable[float] | Sequence[float] | Index) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in np.asarray(zyx, float)) + ")"
