"""Frames, grids and the ways between them: the only code that flips, permutes or resamples.

Two frames are used, and every name carries its own:

``zyx``
    Voxel index, float or int, in array order. Voxel centres lie at whole numbers, so that a voxel
    ``i`` covers ``[i - 0.5, i + 0.5)``. Index boxes are half-open, ``start <= index < stop``.
``spl_mm`` (or ``_mm``)
    Patient millimetres; the axes grow towards Superior, Posterior and Left: DICOM's LPS, reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Index, spacing_mm

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
class Reorientation:
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
    def to_ras(cls, affine: FloatArray) -> Reorientation:
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
