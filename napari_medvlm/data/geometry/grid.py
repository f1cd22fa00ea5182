"""Frames, grids and the ways between them: the only code that flips, permutes or resamples.

Two frames are used, and every name carries its own:

``zyx``
    Voxel index, float or int, in array order. Voxel centres lie at whole numbers, so that a voxel
    ``i`` covers ``[i - 0.5, i + 0.5)``. Index boxes are half-open, ``start <= index < stop``.
``spl_mm`` (or ``_mm``)
    Patient millimetres; the axes grow towards Superior, Posterior and Left: DICOM's LPS, reversed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage

FloatArray = NDArray[np.float64]
Index = tuple[int, int, int]

MM3_PER_ML = 1000.0


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular lattice of voxels in the patient.

    Parameters
    ----------
    shape
        Number of voxels along the axes of the array, ``(z, y, x)``.
    affine
        4 x 4; takes a voxel index ``(z, y, x, 1)`` to patient millimetres ``(S, P, L, 1)``.

    Raises
    ------
    InvalidImage
        If the affine is not an invertible 4 x 4 matrix of finite numbers.
    """

    shape: Index
    affine: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine", checked_affine(self.affine))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Size of a voxel along each axis of the array, in millimetres."""
        return spacing_mm(self.affine)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel: of the parallelepiped, where the axes are not orthogonal."""
        return abs(float(np.linalg.det(self.affine[:3, :3])))

    @property
    def voxel_ml(self) -> float:
        """`voxel_mm3` in mL."""
        return self.voxel_mm3 / MM3_PER_ML

    def to_world(self, zyx: ArrayLike) -> FloatArray:
        """Voxel indices ``(..., 3)`` as patient millimetres ``(..., 3)``."""
        return apply_affine(self.affine, zyx)

    def to_index(self, spl_mm: ArrayLike) -> FloatArray:
        """Patient millimetres ``(..., 3)`` as voxel indices ``(..., 3)``, not rounded."""
        return apply_affine(np.linalg.inv(self.affine).astype(np.float64), spl_mm)

    def contains(self, zyx: ArrayLike) -> NDArray[np.bool_]:
        """Whether each index ``(..., 3)`` lies in a voxel of the grid; ``(...)`` bool."""
        rounded = round_index(zyx)
        inside: NDArray[np.bool_] = np.all((rounded >= 0) & (rounded < self.shape), axis=-1)
        return inside


def checked_affine(affine: ArrayLike) -> FloatArray:
    """The affine as a read-only 4 x 4 float64 array; `InvalidImage` if it cannot place an image."""
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InvalidImage(
            "The image's affine is not a 4 x 4 matrix of finite numbers.",
            "Repair the header, for instance with SimpleITK or nibabel, and load the image again.",
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-6:
        raise InvalidImage(
            "The image's affine cannot be inverted: its voxels have no volume.",
            "Repair spacing and direction in the header and load the image again.",
        )
    matrix.flags.writeable = False
    return matrix


def apply_affine(affine: FloatArray, points: ArrayLike) -> FloatArray:
    """Points ``(..., 3)`` through a 4 x 4 affine."""
    result: FloatArray = np.asarray(points, np.float64) @ affine[:3, :3].T + affine[:3, 3]
    return result


def round_index(zyx: ArrayLike) -> NDArray[np.int64]:
    """The voxel that each index lies in; halves go up, so that voxels are half-open."""
    return np.floor(np.asarray(zyx, np.float64) + 0.5).astype(np.int64)


def spacing_mm(affine: FloatArray) -> tuple[float, float, float]:
    """Lengths of the voxel's edges in millimetres, one for each axis of the array."""
    z, y, x = np.linalg.norm(affine[:3, :3], axis=0)
    return float(z), float(y), float(x)


def same_grid(a: Grid, b: Grid, tolerance_mm: float = 1e-3) -> bool:
    """Whether two grids have the same shape and put every corner at the same place."""
    if a.shape != b.shape:
        return False
    corners = index_corners((0, 0, 0), a.shape)
    return bool(np.abs(a.to_world(corners) - b.to_world(corners)).max() <= tolerance_mm)


def require_same_grid(a: Grid, b: Grid, what: str) -> None:
    """Raise `GeometryMismatch` unless both grids are the same."""
    if not same_grid(a, b):
        raise GeometryMismatch(
            f"{what} lies on another grid ({a.shape}, not {b.shape}, or at another place).",
            "Resample it to the image, or choose the image that it was made on.",
        )


def placed(values: NDArray[Any], source: Grid, target: Grid) -> NDArray[Any] | None:
    """Values ``(z, y, x)`` of one grid on another with the same voxels, 0 where there are none.

    Axes may run backwards or in another order, and either grid may reach further than the other.
    `None` if the voxels of the two do not coincide, within a hundredth of a voxel.
    """
    across = np.linalg.inv(target.affine) @ source.affine
    steps = np.round(across[:3, :3])
    reach = np.abs(across[:3, :3] - steps) @ np.array(source.shape)
    corner = np.round(across[:3, 3])
    if (
        not (np.abs(steps).sum(axis=0) == 1).all()
        or not (np.abs(steps).sum(axis=1) == 1).all()
        or max(reach.max(), np.abs(across[:3, 3] - corner).max()) > 0.01
    ):
        return None
    order = np.abs(steps).argmax(axis=1)  # the source's axis for each of the target's
    turned = np.transpose(values, order)
    backwards = tuple(axis for axis in range(3) if steps[axis, order[axis]] < 0)
    turned = np.flip(turned, backwards)
    start = corner.astype(int)
    for axis in backwards:
        start[axis] -= turned.shape[axis] - 1
    low = np.maximum(start, 0)
    high = np.minimum(start + turned.shape, target.shape)
    result = np.zeros(target.shape, values.dtype)
    if (low < high).all():
        inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        own = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
        result[inside] = turned[own]
    return result


def index_corners(start: Sequence[float], stop: Sequence[float]) -> FloatArray:
    """The eight corners ``(8, 3)`` of the half-open index box, half a voxel outside the centres."""
    pairs = zip(start, stop, strict=True)
    edges = [(low - 0.5, high - 0.5) for low, high in pairs]
    return np.array(list(itertools.product(*edges)))


def world_bounds(grid: Grid, start: Sequence[float], stop: Sequence[float]) -> FloatArray:
    """The box along the patient's axes around a half-open index box: ``(2, 3)``, low then high."""
    corners = grid.to_world(index_corners(start, stop))
    return np.array([corners.min(axis=0), corners.max(axis=0)])
