"""Proposals for a first seed: nested regions in regions of interest of several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_medvlm.backends.embedded.proposals.flooding import Family, families
from napari_medvlm.backends.embedded.proposals.measures import NAMES, measured
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.windows import RADII_MM, local_median, window
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, IndexArray
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Level, Levels

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


@dataclass(frozen=True, eq=False)
class Proposal:
    """A region that a click may mean, on a level.

    Parameters
    ----------
    level
        The region of interest.
    family, threshold
        The nested regions that it is one of.
    score
        How well it stands out; comparable between levels.
    """

    level: Level
    family: Family
    threshold: float
    typical: float
    score: float

    @property
    def mask(self) -> BoolArray:
        """``(z, y, x)`` bool on the level."""
        return self.family.region(self.threshold)

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
    found: list[Proposal] = []
    seen = set()
    for first, radius in enumerate(RADII_MM):
        level = window(levels, seeds.min(0), seeds.max(0) + 1, radius)
        key = tuple((s.start, s.stop) for s in level.box)
        if key not in seen:
            seen.add(key)
            found += _in_level(level, level.index_of(seeds), FINER if first else SMALLEST)
    return sorted(found, key=lambda p: -p.score)


def _in_level(level: Level, at: IndexArray, smallest: int) -> Iterator[Proposal]:
    typical = local_median(level.values, at)
    whole = level.values.size
    most = LARGEST_MM3 / float(np.prod(level.spacing))
    known = set()
    for family in families(level.values, level.gradient, at, typical, ("bright", "dark", "band")):
        costs = np.sort(family.cost.ravel())
        size = 0
        for wanted in np.geomspace(smallest, 0.9 * whole, 32).astype(int):
            threshold = float(costs[wanted])
            now = int(np.searchsorted(costs, threshold, "right"))
            if now < SIZES * size or now > 0.95 * whole:
                continue
            if now > most and size:
                break
            size = now
            if (now, threshold) in known:
                continue
            known.add((now, threshold))
            more = np.searchsorted(costs, (1 + NEAR) * threshold + 0.003, "right")
            less = max(int(np.searchsorted(costs, (1 - NEAR) * threshold - 0.003, "right")), 1)
            change = (float(np.log(more / now)), float(np.log(now / less)))
            measures = measured(level, family.region(threshold), at, typical, change)
            if measures[NAMES.index("open")] > OPEN:
                break
            yield Proposal(level, family, threshold, typical, score(measures))
