"""Frames, grids and the ways between them: the only code that flips, permutes or resamples.

Two frames are used, and every name carries its own:

``zyx``
    Voxel index, float or int, in array order. Voxel centres lie at whole numbers, so that a voxel
    ``i`` covers ``[i - 0.5, i + 0.5)``. Index boxes are half-open, ``start <= index < stop``.
``spl_mm`` (or ``_mm``)
    Patient millimetres; the axes grow towards Superior, Posterior and Left: DICOM's LPS, reversed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import (
    FloatArray,
    Grid,
    Index,
    apply_affine,
    spacing_mm,
    world_bounds,
)

ALIGNED_TOLERANCE = 1e-4
"""Largest sine of an angle between a voxel axis and a patient axis that counts as aligned."""

SPACING_BITS = 26
"""Binary digits of a displayed spacing: with 26 more, an integer times it is exact."""


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
        return Grid((z, y, x), _in_binary_steps(upright))
    spacing = np.array(grid.spacing)[axes]
    low, high = world_bounds(grid, (0, 0, 0), grid.shape)
    z, y, x = np.maximum(np.ceil((high - low) / spacing).astype(int), 1)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low + spacing / 2
    return Grid((int(z), int(y), int(x)), _in_binary_steps(affine))


def _in_binary_steps(affine: FloatArray) -> FloatArray:
    """A diagonal affine whose slice positions are exact in floating point.

    A viewer counts the slices as ``int((last - first) / spacing) + 1``. Rounded, the quotient can
    be a little less than a whole number, and the last slice would be out of reach of its slider.
    The numbers change by less than 1e-7 of a voxel.
    """
    spacing, start = np.diag(affine)[:3], affine[:3, 3]
    quantum = np.exp2(np.floor(np.log2(np.abs(spacing))) - SPACING_BITS)
    exact = np.diag([*np.round(spacing / quantum) * quantum, 1.0])
    exact[:3, 3] = np.round(start / quantum) * quantum
    return exact


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
