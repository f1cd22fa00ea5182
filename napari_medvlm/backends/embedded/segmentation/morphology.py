"""Plain operations on masks, fast enough to be done many times in a click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]
Spacing = tuple[float, float, float]


def grown(mask: BoolArray, times: int = 1) -> BoolArray:
    """The mask and its face neighbours."""
    for _ in range(times):
        wider = mask.copy()
        wider[1:] |= mask[:-1]
        wider[:-1] |= mask[1:]
        wider[:, 1:] |= mask[:, :-1]
        wider[:, :-1] |= mask[:, 1:]
        wider[:, :, 1:] |= mask[:, :, :-1]
        wider[:, :, :-1] |= mask[:, :, 1:]
        mask = wider
    return mask


def shrunk(mask: BoolArray) -> BoolArray:
    """The mask without the voxels that touch the outside; the image's border is no outside."""
    return ~grown(~mask)


def components_of(allowed: BoolArray, points: IndexArray, margin: int = 20) -> BoolArray:
    """The face-connected parts of ``allowed`` that hold any of the points ``(N, 3)``.

    Only a box around the points is labelled; it grows until no part goes on beyond it.

    Parameters
    ----------
    margin
        Voxels around the points in the first box.
    """
    from scipy import ndimage

    if not len(points):
        return np.zeros(allowed.shape, bool)
    while True:
        low = np.maximum(points.min(0) - margin, 0)
        high = np.minimum(points.max(0) + margin + 1, allowed.shape)
        if 2 * np.prod(high - low) > allowed.size:
            low, high = np.zeros(3, int), np.array(allowed.shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        labels, count = ndimage.label(allowed[box])
        keep = np.zeros(count + 1, bool)
        keep[labels[tuple((points - low).T)]] = True
        keep[0] = False
        part: BoolArray = keep[labels]
        if not _goes_on(part, low, high, allowed.shape):
            result = np.zeros(allowed.shape, bool)
            result[box] = part
            return result
        margin = 3 * margin + 1


def _goes_on(part: BoolArray, low: IndexArray, high: IndexArray, shape: tuple[int, ...]) -> bool:
    """Whether a part of the box ``low`` to ``high`` touches a face that is not the array's own."""
    for axis in range(3):
        if low[axis] > 0 and np.take(part, 0, axis).any():
            return True
        if high[axis] < shape[axis] and np.take(part, -1, axis).any():
            return True
    return False


def depth_mm(mask: BoolArray, spacing: Spacing) -> NDArray[np.float64]:
    """Distance of what is inside to the nearest outside; the image's border is no outside."""
    from scipy import ndimage

    if mask.all():
        return np.full(mask.shape, np.inf)
    result: NDArray[np.float64] = ndimage.distance_transform_edt(mask, sampling=spacing)
    return result


def distance_mm(
    shape: tuple[int, ...], points: IndexArray, spacing: Spacing
) -> NDArray[np.float64]:
    """Distance of every voxel to the nearest of the points ``(N, 3)``."""
    empty = np.ones(shape, bool)
    empty[tuple(points.T)] = False
    return depth_mm(empty, spacing)


def filled(mask: BoolArray) -> BoolArray:
    """The mask with the holes on each of its slices."""
    from scipy import ndimage

    structure = np.zeros((3, 3, 3), bool)
    structure[1] = ndimage.generate_binary_structure(2, 1)
    outside = np.pad(~mask, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    labels, count = ndimage.label(outside, structure)
    around = np.zeros(count + 1, bool)
    around[labels[:, 0, 0]] = True
    result: BoolArray = ~around[labels[:, 1:-1, 1:-1]]
    return result
