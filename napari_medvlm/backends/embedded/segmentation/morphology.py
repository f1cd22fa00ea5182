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


def components_of(allowed: BoolArray, points: IndexArray) -> BoolArray:
    """The face-connected parts of ``allowed`` that hold any of the points ``(N, 3)``."""
    from scipy import ndimage

    labels, count = ndimage.label(allowed)
    keep = np.zeros(count + 1, bool)
    keep[labels[tuple(points.T)]] = True
    keep[0] = False
    result: BoolArray = keep[labels]
    return result


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
