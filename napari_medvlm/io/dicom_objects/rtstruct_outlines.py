"""The contours of a region of a structure set as voxels of the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Grid, round_index
from napari_medvlm.io.dicom.header import (
    first_number,
    text,
)
from napari_medvlm.io.dicom_objects.contours import filled, united

if TYPE_CHECKING:
    from pydicom import Dataset

XOR = "CLOSEDPLANAR_XOR"

CLOSED = ("CLOSED_PLANAR", XOR)

TILT = 0.25
"""Slices; a contour that reaches further from its middle does not lie in the image's planes."""

BETWEEN = 0.1
"""Slices; a contour so far from the middle of a slice lies between slices."""

SAME = 0.05
"""Slices; contours so near to each other lie in one plane."""

HOLE = "inside another contour, read as a hole"

REPEATED = "the same as another contour, counted once"


class Outline(NamedTuple):
    """A closed contour in a slice.

    Parameters
    ----------
    z
        The index of its plane across the slices, not rounded.
    yx
        Its corners ``(N, 2)`` as pixel indices.
    is_xor
        Whether its kind is CLOSEDPLANAR_XOR.
    """

    z: float
    yx: FloatArray
    is_xor: bool


def voxels_of(contours: Iterable[Dataset], grid: Grid, left_out: Counter[str]) -> NDArray[np.bool_]:
    """The voxels of a region; what cannot be taken as it stands is counted by what is done."""
    by_slice: dict[int, list[Outline]] = {}
    for contour in contours:
        zyx = _points(contour, grid)
        reason = _reason(contour, zyx, grid)
        if reason:
            left_out[reason] += 1
            continue
        z = float(zyx[:, 0].mean())
        is_xor = text(contour, "ContourGeometricType") == XOR
        by_slice.setdefault(int(round_index(z)), []).append(Outline(z, zyx[:, 1:], is_xor))
    mask = np.zeros(grid.shape, bool)
    for z, outlines in by_slice.items():
        mask[z] = _filled_slice(z, outlines, grid, left_out)
    return mask


def _filled_slice(
    z: int, outlines: list[Outline], grid: Grid, left_out: Counter[str]
) -> NDArray[np.bool_]:
    """The pixels ``(y, x)`` of a region in slice ``z``; what is changed or left out is counted."""
    nearest = min((outline.z for outline in outlines), key=lambda own: abs(own - z))
    near = [outline for outline in outlines if abs(outline.z - nearest) <= SAME]
    if abs(nearest - z) > BETWEEN:
        left_out["between slices, assigned to the nearest slice"] += len(near)
    if dropped := len(outlines) - len(near):
        left_out["further from its slice than another contour, left out"] += dropped
    shape = grid.shape[1:]
    pixels = filled([outline.yx for outline in near if outline.is_xor], shape)
    planar = [outline.yx for outline in near if not outline.is_xor]
    if planar:
        union = united(planar, shape)
        pixels |= union.inside
        left_out += Counter({HOLE: union.holes, REPEATED: union.repeated})
    return pixels


def _points(contour: Dataset, grid: Grid) -> FloatArray:
    """Its corners ``(N, 3)`` as indices ``(z, y, x)``; none if they cannot be read."""
    try:
        values = np.array(contour.get("ContourData") or [], np.float64).ravel()
    except (TypeError, ValueError):
        values = np.empty(0)
    promised = first_number(contour, "NumberOfContourPoints")
    complete = promised is None or values.size == 3 * promised
    if not values.size or values.size % 3 or not complete or not np.isfinite(values).all():
        return np.empty((0, 3))
    return grid.to_index(values.reshape(-1, 3)[:, ::-1])


def _reason(contour: Dataset, zyx: FloatArray, grid: Grid) -> str:
    """Why a contour is left out; empty if it is not."""
    kind = text(contour, "ContourGeometricType")
    if not len(zyx):
        return "without readable points, left out"
    if kind == "POINT":
        return "a single point, left out"
    if kind not in CLOSED:
        return f"not closed ({kind or 'unknown kind'}), left out"
    z = zyx[:, 0].mean()
    if np.abs(zyx[:, 0] - z).max() > TILT:
        return "not in a plane of the image, left out"
    if not 0 <= round_index(z) < grid.shape[0]:
        return "outside the image, left out"
    return ""
