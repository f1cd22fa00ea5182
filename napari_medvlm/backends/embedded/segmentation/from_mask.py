"""Going on from a mask: later prompts change it where they contradict it, and nowhere else."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.embedded.segmentation.border import halfway
from napari_medvlm.backends.embedded.segmentation.corrections import Region, amend
from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray
from napari_medvlm.backends.embedded.segmentation.pyramid import Level, Levels, block_mean
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box

AROUND_MM = 40.0
"""How far around the mask and the seeds is looked at."""


def amended(levels: Levels, base: BoolArray, seeds: list[Seed]) -> BoolArray:
    """The mask ``(z, y, x)`` of the image after the seeds; itself if they do not contradict it."""
    wrong = [s for s in seeds if (base[tuple(s.voxels.T)] != s.positive).any()]
    if not wrong:
        return base
    level = _around(levels, base, wrong)
    mask = block_mean(base[level.box].astype(np.float32), level.factors) > 0.5
    region = _region(level, mask)
    amend(level, seeds, region)
    changed, to = _fine(region.mask != mask, level), _fine(region.mask, level)
    part = base[level.box].copy()
    part[changed] = to[changed]
    full = base.copy()
    full[level.box] = part
    return full


def _around(levels: Levels, base: BoolArray, seeds: list[Seed]) -> Level:
    voxels = np.concatenate([s.voxels for s in seeds])
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    if base.any():
        box = bounding_box(base)
        low = np.minimum(low, [s.start for s in box])
        high = np.maximum(high, [s.stop for s in box])
    margin = np.ceil(AROUND_MM / np.array(levels.spacing)).astype(int)
    return levels.around(low - margin, high + margin)


def _region(level: Level, mask: BoolArray) -> Region:
    inside = level.values[mask] if mask.any() else level.values.ravel()
    low, high = (float(v) for v in np.percentile(inside, [5, 95]))
    cuts = halfway(level, mask, Cuts(low, high), []) if mask.any() else Cuts(low, high)
    middle = float(np.median(inside))
    spread = 1.5 * float(np.median(np.abs(inside - middle)))
    return Region(mask.copy(), np.zeros_like(mask), cuts, middle, spread)


def _fine(mask: BoolArray, level: Level) -> BoolArray:
    """A mask of a level on the image's own voxels."""
    for axis, factor in enumerate(level.factors):
        mask = np.repeat(mask, factor, axis=axis) if factor > 1 else mask
    z, y, x = (s.stop - s.start for s in level.box)
    return mask[:z, :y, :x]
