"""Regions of interest: parts of the image around a seed, as fine as a limit of voxels allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, IndexArray
from napari_medvlm.backends.embedded.segmentation.pyramid import (
    Array,
    Box,
    Level,
    Levels,
    block_mean,
)

RADII_MM = (12.0, 25.0, 50.0, 100.0)
"""How far the regions of interest of a click reach."""
VOXELS = 40_000
"""A region of interest has so many voxels at most."""


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
    """A mask of a level on the image's own voxels in the level's box."""
    for axis, factor in enumerate(level.factors):
        mask = np.repeat(mask, factor, axis=axis) if factor > 1 else mask
    z, y, x = (s.stop - s.start for s in level.box)
    return mask[:z, :y, :x]


def local_median(values: Array, at: IndexArray) -> float:
    """The median intensity of the voxels ``(N, 3)``, and in the plane around a single one."""
    if len(at) > 2:
        return float(np.median(values[tuple(at.T)]))
    thin = int(np.argmin(values.shape))
    parts: Box = tuple(
        slice(max(int(c) - (a != thin), 0), int(c) + 1 + (a != thin)) for a, c in enumerate(at[0])
    )  # type: ignore[assignment]  # three of them
    return float(np.median(values[parts]))
