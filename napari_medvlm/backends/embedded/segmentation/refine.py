"""From a region on a level to the mask on the image's own voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.segmentation.border import local_cuts
from napari_medvlm.backends.embedded.segmentation.boxes import bounded, box_of, box_seeds
from napari_medvlm.backends.embedded.segmentation.corrections import Region, amend
from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.from_mask import amended
from napari_medvlm.backends.embedded.segmentation.morphology import components_of, grown, shrunk
from napari_medvlm.backends.embedded.segmentation.pyramid import Box, Level, Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts
from napari_medvlm.backends.embedded.segmentation.thresholds import Chooser, chosen_by
from napari_medvlm.data.mask import Mask, bounding_box

LOCAL_ROUNDS = 2
LIMIT = 1.5
"""Local cuts that change the region by more than this factor are not taken."""


def solve(level: Level, prompts: EmbeddedPrompts) -> Region:
    """The region that the seeds mean on a level; local corrections are left to `amend`."""
    key = ("region", *((s.positive, s.voxels.tobytes()) for s in chosen_by(prompts.seeds)))
    region = level.remembered(key, lambda: _solve(level, prompts))
    return replace(region, mask=region.mask.copy(), corrected=np.zeros_like(region.mask))


def _solve(level: Level, prompts: EmbeddedPrompts) -> Region:
    chooser = Chooser(level, prompts.seeds)
    mask, cuts = chooser.mask, chooser.cuts
    for _ in range(LOCAL_ROUNDS):
        local = local_cuts(level, mask, chooser.cuts)
        wider = components_of(local.holds(level.values), chooser.points)
        before, after = np.count_nonzero(mask), np.count_nonzero(wider)
        if not before / LIMIT <= after <= before * LIMIT:
            break
        mask, cuts = wider, local
    inside = level.values[mask][::7]
    middle = float(np.median(inside))
    spread = 1.5 * float(np.median(np.abs(inside - middle)))
    return Region(mask.copy(), np.zeros_like(mask), cuts, middle, spread)


BoolArray = NDArray[np.bool_]

CLOSE_MM = 12.0
"""How far around the region is looked at when looking closer."""


def segment(
    levels: Levels, prompts: EmbeddedPrompts, excluded: Mask | None, progress: Progress
) -> BoolArray:
    """The object ``(z, y, x)`` on the image's own voxels."""
    filled, boxed = box_seeds(levels, prompts)
    if prompts.base is not None:
        progress(0.1, "correcting the mask")
        full = amended(levels, prompts.base.full() | filled, prompts.seeds)
    elif prompts.bounds and not boxed:
        progress(0.1, "filling the box")
        full = amended(levels, filled, prompts.seeds)
    else:
        seeds = [*boxed, *prompts.seeds]
        full = _grown_from(levels, replace(prompts, seeds=seeds), progress)
        full = bounded(full, prompts, filled)
    for seed in prompts.seeds:
        full[tuple(seed.voxels.T)] = seed.positive
    if excluded is not None:
        full[excluded.slices] &= ~excluded.crop
    return full


def _grown_from(levels: Levels, prompts: EmbeddedPrompts, progress: Progress) -> BoolArray:
    full = np.zeros(levels.shape, bool)
    if not prompts.positives:
        return full
    level = levels.whole
    progress(0.1, "finding the region")
    region = solve(level, prompts)
    closer = _closer(levels, level, region, prompts)
    if closer is not None:
        progress(0.5, "looking closer")
        level = closer
        region = solve(level, prompts)
    amend(level, prompts.seeds, region)
    progress(0.8, "refining the border")
    refine(levels, level, region, full)
    return full


def _closer(levels: Levels, level: Level, region: Region, prompts: EmbeddedPrompts) -> Level | None:
    """A finer level of the part of the image that matters, if it can be finer."""
    if max(level.factors) == 1:
        return None
    points = np.concatenate([s.voxels for s in prompts.seeds])
    box = bounding_box(region.mask)
    factors = np.array(level.factors)
    margin = np.ceil(CLOSE_MM / np.array(levels.spacing)).astype(int)
    low = np.minimum(np.array([s.start for s in box]) * factors, points.min(axis=0)) - margin
    high = np.maximum(np.array([s.stop for s in box]) * factors, points.max(axis=0) + 1) + margin
    finer = levels.around(low, high)
    return finer if np.prod(finer.factors) < np.prod(level.factors) else None


def refine(levels: Levels, level: Level, region: Region, full: BoolArray) -> None:
    """Write a region into the image's voxels; along its border each voxel is looked at itself."""
    if level.factors == (1, 1, 1):
        full[level.box] = region.mask
        return
    box = bounding_box(region.mask)
    low = np.maximum([s.start - 1 for s in box], 0)
    high = np.minimum([s.stop + 1 for s in box], region.mask.shape)
    part = box_of(low, high)
    mask, fixed = region.mask[part], region.corrected[part]
    sure = shrunk(mask) | (fixed & mask)
    maybe = grown(mask) & ~sure & ~(fixed & ~mask)
    origin, end = (np.array([getattr(s, n) for s in level.box]) for n in ("start", "stop"))
    start = (origin + low * level.factors).astype(np.int64)
    stop = np.minimum(origin + high * level.factors, end).astype(np.int64)
    fine = box_of(start, stop)
    enlarge = _enlarger(level, fine)
    cuts = Cuts(
        *(
            enlarge(cut[part]) if isinstance(cut, np.ndarray) else cut
            for cut in (region.cuts.low, region.cuts.high)
        )
    )
    full[fine] = enlarge(sure) | (enlarge(maybe) & cuts.holds(levels.fine(fine)))


def _enlarger(level: Level, fine: Box) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Repeats each voxel of a level over the voxels of the image that it covers."""

    def enlarge(array: NDArray[Any]) -> NDArray[Any]:
        for axis, factor in enumerate(level.factors):
            array = np.repeat(array, factor, axis=axis) if factor > 1 else array
        z, y, x = (s.stop - s.start for s in fine)
        return array[:z, :y, :x]

    return enlarge
