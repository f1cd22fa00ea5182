"""From a region on a level to the mask on the image's own voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.region.amend import Region, amend
from napari_medvlm.backends.region.cuts import Cuts
from napari_medvlm.backends.region.levels import Box, Level, Levels
from napari_medvlm.backends.region.morph import grown, shrunk
from napari_medvlm.backends.region.seeds import Said
from napari_medvlm.backends.region.solve import solve
from napari_medvlm.results import Mask, bounding_box

BoolArray = NDArray[np.bool_]


def segment(levels: Levels, said: Said, excluded: Mask | None, progress: Progress) -> BoolArray:
    full = np.zeros(levels.shape, bool)
    if not said.positives:
        return full
    level = levels.whole
    progress(0.1, "finding the region")
    region = solve(level, said)
    closer = _closer(levels, level, region, said)
    if closer is not None:
        progress(0.5, "looking closer")
        level = closer
        region = solve(level, said)
    amend(level, said.seeds, region)
    progress(0.8, "refining the border")
    refine(levels, level, region, full)
    for seed in said.seeds:
        full[tuple(seed.voxels.T)] = seed.positive
    if excluded is not None:
        full[excluded.slices] &= ~excluded.crop
    return full


def _closer(levels: Levels, level: Level, region: Region, said: Said) -> Level | None:
    if max(level.factors) == 1:
        return None
    box = bounding_box(region.mask)
    slices = []
    for axis in range(3):
        margin = int(np.ceil(12 / levels.spacing[axis]))
        f = level.factors[axis]
        points = np.concatenate([s.voxels[:, axis] for s in said.seeds])
        a = min(box[axis].start * f, points.min()) - margin
        b = max(box[axis].stop * f, points.max() + 1) + margin
        slices.append(slice(max(int(a), 0), min(int(b), levels.shape[axis])))
    cut: Box = (slices[0], slices[1], slices[2])
    finer = levels.cut(cut)
    return finer if np.prod(finer.factors) < np.prod(level.factors) else None


def refine(levels: Levels, level: Level, region: Region, full: BoolArray) -> None:
    box = bounding_box(region.mask)
    if level.factors == (1, 1, 1):
        full[level.box] = region.mask
        return
    lo = [max(s.start - 1, 0) for s in box]
    hi = [min(s.stop + 1, n) for s, n in zip(box, region.mask.shape, strict=True)]
    part = tuple(slice(a, b) for a, b in zip(lo, hi, strict=True))
    mask = region.mask[part]
    outer = grown(mask)
    core = shrunk(mask)
    fixed = region.corrected[part]
    start = [s.start + a * f for s, a, f in zip(level.box, lo, level.factors, strict=True)]
    stop = [min(s.start + b * f, s.stop) for s, b, f in zip(level.box, hi, level.factors, strict=True)]
    fine = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))

    def up(m):
        for axis, f in enumerate(level.factors):
            if f > 1:
                m = np.repeat(m, f, axis=axis)
        return m[: shape[0], : shape[1], : shape[2]]

    sure = core | (fixed & mask)
    maybe = outer & ~sure & ~(fixed & ~mask)
    values = levels.fine(fine)
    f = region.cuts
    cuts = Cuts(*(up(c[part]) if isinstance(c, np.ndarray) else c for c in (f.low, f.high)))
    full[fine] = up(sure) | (up(maybe) & cuts.holds(values))
