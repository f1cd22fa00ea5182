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

from napari_medvlm.errors import GeometryMismatch, InvalidImage

FloatArray = NDArray[np.float64]
Index = tuple[int, int, int]

ALIGNED_TOLERANCE = 1e-4
"""Largest sine of an angle between a voxel axis and a patient axis that counts as aligned."""


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


# SimpleITK and DICOM speak of (x, y, z) indices and LPS millimetres: both are ours, reversed.


def affine_from_lps(
    direction: Sequence[float], spacing: Sequence[float], origin: Sequence[float]
) -> FloatArray:
    """Our affine from SimpleITK's direction (row-major, 9), spacing (3) and origin (3)."""
    affine = np.eye(4)
    linear = np.reshape(np.asarray(direction, np.float64), (3, 3)) * np.asarray(spacing)
    affine[:3, :3] = linear[::-1, ::-1]
    affine[:3, 3] = np.asarray(origin, np.float64)[::-1]
    return affine


def lps_from_affine(
    affine: FloatArray,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """SimpleITK's direction (row-major, 9), spacing (3) and origin (3) from our affine."""
    spacing = np.array(spacing_mm(affine))
    direction = (affine[:3, :3] / spacing)[::-1, ::-1]
    return (
        tuple(map(float, direction.ravel())),
        tuple(map(float, spacing[::-1])),
        tuple(map(float, affine[:3, 3][::-1])),
    )


def lps_matrix(affine: FloatArray) -> FloatArray:
    """Our affine as a 4 x 4 from ``(x, y, z)`` indices to LPS millimetres."""
    reverse = np.eye(4)[[2, 1, 0, 3]]
    result: FloatArray = reverse @ affine @ reverse
    return result


def lps_rows(affine: FloatArray) -> FloatArray:
    """Our affine from ``(z, y, x)`` indices to (L, P, S), as highdicom has it; and back again."""
    swapped: FloatArray = np.asarray(affine, np.float64)[[2, 1, 0, 3]]
    return swapped


def affine_from_ras(matrix: ArrayLike) -> FloatArray:
    """Our affine from nibabel's: ``(x, y, z)`` indices to RAS millimetres."""
    return lps_matrix(np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(matrix, np.float64))


def ras_matrix(affine: FloatArray) -> FloatArray:
    """Our affine as nibabel's: ``(x, y, z)`` indices to RAS millimetres."""
    result: FloatArray = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps_matrix(affine)
    return result


@dataclass(frozen=True)
class Turn:
    """An array's axes in another order and direction, and back. Both ways give views.

    Parameters
    ----------
    axes
        The axes ``(z, y, x)`` of the array in their new order.
    flips
        Which of them, in the new order, run backwards.
    """

    axes: Index
    flips: tuple[bool, bool, bool]

    @classmethod
    def to_ras(cls, affine: FloatArray) -> Turn:
        """To axes that grow towards superior, anterior and right, as near as they run to these.

        Reversed, that is the order (x, y, z) that nibabel calls RAS. Where an axis runs between
        two, the choice is nibabel's: of x, y and z, the one that runs closest to one chooses first.
        """
        cosines = np.array(ras_matrix(affine)[:3, :3])
        left, _, right = np.linalg.svd(cosines / np.linalg.norm(cosines, axis=0))
        rotation = left @ right
        taken: dict[int, tuple[int, bool]] = {}
        for axis in np.argsort(-(rotation**2).max(axis=0), kind="stable").tolist():
            nearest = int(np.abs(rotation[:, axis]).argmax())
            taken[nearest] = 2 - axis, bool(rotation[nearest, axis] < 0)
            rotation[nearest] = 0
        (x, x_back), (y, y_back), (z, z_back) = (taken[towards] for towards in range(3))
        return cls((z, y, x), (z_back, y_back, x_back))

    def there(self, data: NDArray[Any]) -> NDArray[Any]:
        """An array ``(z, y, x)`` with its axes turned."""
        turned: NDArray[Any] = data.transpose(self.axes)[self._steps]
        return turned

    def back(self, data: NDArray[Any]) -> NDArray[Any]:
        """What was turned, as it was."""
        turned: NDArray[Any] = data[self._steps].transpose(np.argsort(self.axes))
        return turned

    @property
    def _steps(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)


# A viewer shows planes along the patient's axes.


def patient_axes(affine: FloatArray) -> Index:
    """For each patient axis S, P, L, the array axis that runs closest along it."""
    cosines = np.abs(affine[:3, :3] / np.array(spacing_mm(affine)))
    orders: list[Index] = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    return max(orders, key=lambda axes: float(cosines[[0, 1, 2], axes].sum()))


def is_aligned(affine: FloatArray) -> bool:
    """Whether every voxel axis runs along a patient axis, forwards or backwards."""
    cosines = (affine[:3, :3] / np.array(spacing_mm(affine)))[:, patient_axes(affine)]
    return bool(np.abs(cosines - np.diag(np.diag(cosines))).max() <= ALIGNED_TOLERANCE)


def display_grid(grid: Grid) -> Grid:
    """The grid on which a viewer shows an image in planes along the patient's axes.

    An aligned image is shown on its own voxels with the array's axes put in patient order: a view,
    nothing is resampled. An oblique one is shown on an upright grid around it, with the spacing of
    the nearest axes, see `Reslice`.
    """
    axes = list(patient_axes(grid.affine))
    if is_aligned(grid.affine):
        z, y, x = (grid.shape[axis] for axis in axes)
        upright = np.diag([*np.diag(grid.affine[:3, axes]), 1.0])
        upright[:3, 3] = grid.affine[:3, 3]
        return Grid((z, y, x), upright)
    spacing = np.array(grid.spacing)[axes]
    low, high = world_bounds(grid, (0, 0, 0), grid.shape)
    z, y, x = np.maximum(np.ceil((high - low) / spacing).astype(int), 1)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low + spacing / 2
    return Grid((int(z), int(y), int(x)), affine)


def displayed(data: NDArray[Any], grid: Grid, order: int) -> NDArray[Any] | Reslice:
    """An array ``(z, y, x[, c])`` on ``grid`` as it stands on ``display_grid(grid)``.

    Parameters
    ----------
    order
        Interpolation between voxels if the grid is oblique: 0 nearest, 1 linear.

    Returns
    -------
    A view of the same memory where the grid is aligned, else a `Reslice`: either way, a later
    change of ``data`` shows.
    """
    if is_aligned(grid.affine):
        axes = patient_axes(grid.affine)
        return data.transpose(*axes, *range(3, data.ndim))
    return Reslice(data, grid, display_grid(grid), order)


class Reslice:
    """An array read on another grid, plane by plane and only when asked: what viewers index.

    Parameters
    ----------
    data
        ``(z, y, x)`` or ``(z, y, x, c)`` on ``source``; kept by reference.
    source, target
        Where the data lie, and where they are read.
    order
        0 nearest (labels), 1 linear (images).
    outside
        The value outside the source; `None`: of labels 0, of images their minimum when made.
    """

    def __init__(
        self,
        data: NDArray[Any],
        source: Grid,
        target: Grid,
        order: int,
        outside: float | None = None,
    ) -> None:
        self._data = data
        self._order = order
        self._outside = outside if outside is not None else data.min() if order else 0
        self._matrix = np.linalg.inv(source.affine) @ target.affine
        self.shape: tuple[int, ...] = (*target.shape, *data.shape[3:])
        self.dtype = data.dtype
        self.ndim = data.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            fill = (slice(None),) * (self.ndim - len(keys) + 1)
            keys = keys[:at] + fill + keys[at + 1 :]
        keys = (*keys, *(slice(None),) * (3 - len(keys)))
        ranges = [
            np.arange(size)[k if isinstance(k, slice) else slice(int(k), int(k) + 1 or None)]
            for k, size in zip(keys[:3], self.shape[:3], strict=True)
        ]
        block = self._read(ranges)
        drop = tuple(0 if not isinstance(k, slice) else slice(None) for k in keys[:3])
        result: NDArray[Any] = block[(*drop, *keys[3:])]
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:, :, :], dtype)

    def _read(self, ranges: list[NDArray[np.int64]]) -> NDArray[Any]:
        from scipy import ndimage

        shape = tuple(len(r) for r in ranges)
        if 0 in shape:
            return np.empty((*shape, *self.shape[3:]), self.dtype)
        first = np.array([r[0] for r in ranges])
        step = np.array([r[1] - r[0] if len(r) > 1 else 1 for r in ranges])
        matrix = self._matrix[:3, :3] * step
        offset = apply_affine(self._matrix, first)

        def read(channel: NDArray[Any]) -> NDArray[Any]:
            result: NDArray[Any] = ndimage.affine_transform(
                channel, matrix, offset, shape, order=self._order, cval=self._outside
            )
            return result

        if self.ndim == 3:
            return read(self._data)
        return np.stack([read(self._data[..., c]) for c in range(self.shape[3])], axis=-1)
