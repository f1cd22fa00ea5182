"""Proposals for a first seed: nested regions in regions of interest of several sizes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.proposals.flooding import Family, families, flooded
from napari_medvlm.backends.embedded.proposals.forest import expected_dice
from napari_medvlm.backends.embedded.proposals.measures import NAMES, measured
from napari_medvlm.backends.embedded.proposals.near_seeds import nearby
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.windows import RADII_MM, local_median, window
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    filled,
    grown,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Level, Levels

Floats = NDArray[np.float64]

SMALLEST = 8
"""A region of fewer voxels is noise."""
FINER = 60
"""A region of fewer voxels is left to a smaller region of interest."""
OPEN = 0.25
"""A region that covers so much of the faces goes on beyond its region of interest."""
SIZES = 1.3
"""Regions are measured whenever they have grown by this factor."""
LARGEST_MM3 = 160_000.0
"""A larger region is left to the method for tissues in the whole image."""
NEAR = 0.15
"""A threshold is called near when it differs by this share."""
LARGEST_SHARE = 0.9
"""A region fills at most about this share of its region of interest."""
HOLES = 1.1
"""A region that grows by this factor when its holes are filled is measured with them too."""
CORES, APART = 5, 0.35
"""So many regions are taken for cores in a rim; logarithms of their volumes differ by so much."""
WIDER = 1.15
"""A core with its rim has at least so many times the voxels of the core and its neighbours."""
MOST = 20.0
"""Measures in parts of a contrast count up to this."""
VOLUME, OPEN_SHARE, CONTRAST = (NAMES.index(name) for name in ("volume", "open", "contrast"))


@dataclass(frozen=True, eq=False)
class Proposal:
    """A region that a click may mean, on a level.

    Parameters
    ----------
    level
        The region of interest.
    family, threshold
        The nested regions that it is one of.
    typical
        The intensity that the threshold is counted from.
    measures
        See `measures.CLICK_NAMES`.
    at
        The voxels ``(N, 3)`` of the image that it grows from: the seeds, or a voxel near a click.
    closed
        Whether holes on slices belong to it.
    score
        The expected Dice; comparable between levels.
    """

    level: Level
    family: Family
    threshold: float
    typical: float
    measures: Floats
    at: IndexArray
    closed: bool = False
    score: float = 0.0

    @property
    def mask(self) -> BoolArray:
        """``(z, y, x)`` bool on the level."""
        region = self.family.region(self.threshold)
        return filled(region) if self.closed else region

    def holds(self, values: Array) -> BoolArray:
        """Where an image of the same scale of intensities looks like the region."""
        below = self.family.kind != "dark"
        above = self.family.kind != "bright"
        inside: BoolArray = np.ones(values.shape, bool)
        if below:
            inside &= self.typical - values <= self.threshold
        if above:
            inside &= values - self.typical <= self.threshold
        return inside


def proposals(levels: Levels, seeds: IndexArray) -> list[Proposal]:
    """The regions that may be meant by seeds ``(N, 3)``, the best first."""
    key = ("proposals", seeds.tobytes())
    return levels.whole.remembered(key, lambda: _proposals(levels, seeds))


def _proposals(levels: Levels, seeds: IndexArray) -> list[Proposal]:
    regions: list[Proposal] = []
    windows: dict[Hashable, Level] = {}
    for radius in RADII_MM:
        level = window(levels, seeds.min(0), seeds.max(0) + 1, radius)
        windows.setdefault(tuple((s.start, s.stop) for s in level.box), level)
    for first, level in enumerate(windows.values()):
        regions += _in_level(level, seeds, FINER if first else SMALLEST)
    regions += [p for core in _cores(regions) for p in _around(core, seeds)]
    if len(seeds) == 1:
        regions = list(_with_nearby(levels, list(windows.values()), seeds, regions))
    else:
        regions = [_measured_further(p, 0.0, 0.0, 0.0) for p in regions]
    if not regions:
        return []
    scores = expected_dice(np.stack([p.measures for p in regions]))
    scored = [replace(p, score=float(s)) for p, s in zip(regions, scores, strict=True)]
    return sorted(scored, key=lambda p: -p.score)


def _with_nearby(
    levels: Levels, windows: list[Level], click: IndexArray, regions: list[Proposal]
) -> Iterator[Proposal]:
    """Regions around a click ``(1, 3)``, and regions without it around the extremes near it."""
    around = nearby(levels, click)
    for proposal in regions:
        yield _measured_further(proposal, 0.0, 0.0, around.step)
    for kind, at, distance in around.seeds:
        for first, level in enumerate(windows):
            own = local_median(level.values, level.index_of(click))
            for proposal in _near_click(level, kind, at, click, FINER if first else SMALLEST):
                yield _measured_further(
                    proposal, distance, abs(proposal.typical - own), around.step
                )


def _measured_further(proposal: Proposal, nudge: float, drop: float, step: float) -> Proposal:
    """The proposal with the measures of `CLICK_NAMES` that are none of its region."""
    contrast = float(np.exp(proposal.measures[CONTRAST]))
    further = nudge, min(drop / contrast, MOST), min(step / contrast, MOST)
    return replace(proposal, measures=np.concatenate([proposal.measures, further]))


def _near_click(
    level: Level, kind: str, near: IndexArray, click: IndexArray, smallest: int
) -> Iterator[Proposal]:
    """Regions around a voxel near a click; the first that reaches the click ends them."""
    at, outside = level.index_of(near), level.index_of(click)
    if (at == outside).all():
        return
    typical = local_median(level.values, at)
    for family in families(level.values, level.gradient, at, typical, (kind,)):
        limit = float(family.cost[tuple(outside[0])])
        for proposal in _nested(level, family, near, (typical, typical), smallest):
            if proposal.threshold >= limit:
                break
            yield proposal


def _in_level(level: Level, seeds: IndexArray, smallest: int) -> Iterator[Proposal]:
    at = level.index_of(seeds)
    typical = local_median(level.values, at)
    for family in families(level.values, level.gradient, at, typical, ("bright", "dark", "band")):
        yield from _nested(level, family, seeds, (typical, typical), smallest)


def _cores(regions: list[Proposal]) -> list[Proposal]:
    """The regions of different volumes that stand out most: each may be the core in a rim."""
    cores: list[Proposal] = []
    for proposal in sorted(regions, key=lambda p: -score(p.measures)):
        volume = proposal.measures[VOLUME]
        if all(abs(volume - core.measures[VOLUME]) >= APART for core in cores):
            cores.append(proposal)
        if len(cores) == CORES:
            break
    return cores


def _around(core: Proposal, seeds: IndexArray) -> Iterator[Proposal]:
    """A region and what surrounds it, as far as it is as bright or dark as next to the region."""
    level, mask = core.level, core.mask
    start = grown(mask)
    ring = grown(start) & ~mask
    if not ring.any():
        return
    values = level.values
    bright = np.median(values[ring]) > np.median(values[mask])
    typical = float(np.quantile(values[ring], 0.75 if bright else 0.25))
    cost = np.maximum(typical - values if bright else values - typical, 0).astype(np.float32)
    cost[start] = 0
    family = Family("bright" if bright else "dark", flooded(cost, np.argwhere(start)))
    at = level.index_of(seeds)
    smallest = max(int(WIDER * np.count_nonzero(start)), FINER)
    if smallest < LARGEST_SHARE * values.size:
        yield from _nested(level, family, seeds, (typical, local_median(values, at)), smallest)


def _nested(
    level: Level, family: Family, seeds: IndexArray, typical: tuple[float, float], smallest: int
) -> Iterator[Proposal]:
    """Regions of a family, each larger than the one before.

    Parameters
    ----------
    typical
        The intensity that the family's cost is counted from, and that of the seeds.
    smallest
        Voxels.
    """
    whole, at = level.values.size, level.index_of(seeds)
    most = LARGEST_MM3 / float(np.prod(level.spacing))
    costs = np.sort(family.cost.ravel())
    size = 0
    for wanted in np.geomspace(smallest, LARGEST_SHARE * whole, 32).astype(int):
        threshold = float(costs[wanted])
        now = int(np.searchsorted(costs, threshold, "right"))
        if now < SIZES * size or now > 0.95 * whole:
            continue
        if now > most and size:
            return
        size = now
        more = np.searchsorted(costs, (1 + NEAR) * threshold + 0.003, "right")
        less = max(int(np.searchsorted(costs, (1 - NEAR) * threshold - 0.003, "right")), 1)
        change = (float(np.log(more / now)), float(np.log(now / less)))
        region = family.region(threshold)
        measures = measured(level, region, at, typical[1], change)
        if measures[OPEN_SHARE] > OPEN:
            return
        yield Proposal(level, family, threshold, typical[0], measures, seeds)
        closed = filled(region)
        if np.count_nonzero(closed) > HOLES * now:
            measures = measured(level, closed, at, typical[1], change)
            if measures[OPEN_SHARE] <= OPEN:
                yield Proposal(level, family, threshold, typical[0], measures, seeds, closed=True)
