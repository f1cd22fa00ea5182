"""Regions of interest: parts of the image around a seed, as fine as a limit of voxels allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    components_of,
    grown,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import (
    Array,
    Box,
    Level,
    Levels,
    block_mean,
)
from napari_medvlm.data.mask import bounding_box

RADII_MM = (12.0, 25.0, 50.0, 100.0)
"""How far the regions of interest of a click reach."""
VOXELS = 40_000
"""A region of interest has so many voxels at most."""
FINE_VOXELS = 200_000
"""A border is computed again among so many voxels, at most."""


def window(
    levels: Levels, low: IndexArray, high: IndexArray, margin_mm: float, voxels: int = VOXELS
) -> Level:
    """The level of the part of the image from ``low`` up to ``high`` with a margin around it."""
    steps = np.ceil(margin_mm / np.array(levels.spacing)).astype(int)
    start = np.maximum(low - steps, 0)
    stop = np.minimum(high + steps, levels.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return levels.cut((z, y, x), voxels)


def to_level(mask: BoolArray, level: Level) -> BoolArray:
    """A mask ``(z, y, x)`` of the image on a level: where it fills half of a voxel or more."""
    part = mask[level.box]
    if level.factors == (1, 1, 1):
        return part.copy()
    result: BoolArray = block_mean(part.astype(np.float32), level.factors) >= 0.5
    return result


def to_image(mask: NDArray[np.bool_], level: Level) -> BoolArray:
    """A mask of a level on the image's own voxels in the level's box.

    Its border is smooth: a mask is interpolated linearly, and cut where it has as many voxels as
    the blocks that its voxels stand for.
    """
    shape = tuple(s.stop - s.start for s in level.box)
    result = np.zeros(shape, bool)
    if level.factors == (1, 1, 1) or not mask.any():
        result[:] = mask
        return result
    box = bounding_box(mask)
    low = [max(s.start - 1, 0) for s in box]
    high = [min(s.stop + 1, n) for s, n in zip(box, mask.shape, strict=True)]
    part = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    share = part.astype(np.float32)
    blocks = part
    for axis, factor in enumerate(level.factors):
        share = _enlarged(share, axis, factor)
        blocks = np.repeat(blocks, factor, axis=axis) if factor > 1 else blocks
    start = [a * f for a, f in zip(low, level.factors, strict=True)]
    fine = tuple(slice(a, min(a + n, m)) for a, n, m in zip(start, share.shape, shape, strict=True))
    cut = tuple(slice(0, s.stop - s.start) for s in fine)
    result[fine] = _largest(share[cut], int(np.count_nonzero(blocks[cut])))
    return result


def _enlarged(values: Array, axis: int, factor: int) -> Array:
    """Values interpolated linearly along an axis at the centres of ``factor`` times more voxels."""
    if factor == 1:
        return values
    at = (np.arange(factor * values.shape[axis]) + 0.5) / factor - 0.5
    at = np.clip(at, 0, values.shape[axis] - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, values.shape[axis] - 1)
    shape = [-1 if a == axis else 1 for a in range(values.ndim)]
    weight = (at - before).astype(np.float32).reshape(shape)
    result: Array = values.take(before, axis) * (1 - weight) + values.take(after, axis) * weight
    return result


def _largest(values: Array, count: int) -> BoolArray:
    """Where the ``count`` largest of the values are, or a few more that are equal."""
    limit = np.partition(values.ravel(), values.size - count)[values.size - count]
    result: BoolArray = values >= max(float(limit), 1e-6)
    return result


def refined(
    levels: Levels,
    level: Level,
    mask: BoolArray,
    at: IndexArray,
    holds: Callable[[Array], BoolArray] | None,
) -> tuple[Box, BoolArray]:
    """A mask of a level on the image's own voxels, its border computed again among them.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool on the level, not empty.
    at
        ``(N, 3)`` voxels of the image: what is connected with them stays.
    holds
        Where intensities are those of the mask; `None`: the border is only made smooth.

    Returns
    -------
    tuple of Box and ndarray
        A box of the image, and the mask in it.
    """
    whole = to_image(mask, level)
    box = bounding_box(whole)
    origin = np.array([s.start for s in level.box])
    low, high = (origin + [getattr(s, n) for s in box] for n in ("start", "stop"))
    coarsest = max(
        (s for f, s in zip(level.factors, level.spacing, strict=True) if f > 1), default=0.0
    )
    fine = window(levels, low, high, 2.0 * coarsest, FINE_VOXELS)
    part = np.zeros([s.stop - s.start for s in fine.box], bool)
    inner = low - [s.start for s in fine.box]
    part[tuple(slice(a, b) for a, b in zip(inner, inner + high - low, strict=True))] = whole[box]
    if holds is not None and fine.factors == (1, 1, 1) and level.factors != (1, 1, 1):
        steps = max(level.factors) // 2 + 1
        sure = ~grown(~part, steps)
        near = sure | (grown(part, steps) & holds(fine.values))
        near = components_of(near, fine.index_of(at))
        # A click on a spot that looks unlike the region is outside of its finer border.
        part = near if near.any() else part
    return fine.box, part


def local_median(values: Array, at: IndexArray) -> float:
    """The median intensity of the voxels ``(N, 3)``, and in the plane around a single one."""
    if len(at) > 2:
        return float(np.median(values[tuple(at.T)]))
    thin = int(np.argmin(values.shape))
    parts: Box = tuple(
        slice(max(int(c) - (a != thin), 0), int(c) + 1 + (a != thin)) for a, c in enumerate(at[0])
    )  # type: ignore[assignment]  # three of them
    return float(np.median(values[parts]))
