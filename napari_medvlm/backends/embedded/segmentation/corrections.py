"""Corrections: a seed that a region contradicts changes the region around it, and only there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    components_of,
    depth_mm,
    distance_mm,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Level
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box

REACH = 3.0
"""How far a correction goes, in depths of the place that was clicked."""
NECK_MM = 50.0
"""How far from a seed a narrow place is looked for."""
WALKER_VOXELS = 80_000
"""The random walker is not asked about more voxels than these: it would take too long."""
BETA = 300.0
"""How strongly an edge stops the random walker."""


@dataclass(eq=False)
class Region:
    """A mask on a level, and what it was made from.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool on the level.
    corrected
        ``(z, y, x)`` bool: set by a correction, not by the cuts.
    cuts
        The intensities of the object, the same everywhere or place by place.
    core, spread
        The object's own intensity, and its standard deviation.
    """

    mask: BoolArray
    corrected: BoolArray
    cuts: Cuts
    core: float
    spread: float


def amend(level: Level, seeds: list[Seed], region: Region) -> None:
    """Correct the region at every seed that it contradicts, in the order of the seeds."""
    for seed in seeds:
        at = level.index_of(seed.voxels)
        wrong = region.mask[tuple(at.T)] != seed.positive
        if wrong.any():
            others = [level.index_of(s.voxels) for s in seeds if s.positive != seed.positive]
            _Correction(level, region, at[wrong], seed.positive, others).apply()


class _Correction:
    """One seed's change of a region, worked out in a window around it."""

    def __init__(
        self, level: Level, region: Region, at: IndexArray, positive: bool, others: list[IndexArray]
    ) -> None:
        self.level, self.region, self.at, self.positive = level, region, at, positive
        self.others = np.concatenate(others) if others else np.zeros((0, 3), np.int64)
        self.value = float(np.median(level.values[tuple(at.T)]))
        self.scale_mm = self._depth_of_click()

    def apply(self) -> None:
        """Change the region."""
        spatial = not self.positive and abs(self.value - self.region.core) < self.region.spread
        if not (spatial and self._cut_neck()):
            self._change_around(spatial)

    def _depth_of_click(self) -> float:
        """How deep the seed lies in what is wrong, in mm."""
        reach = 4.0 * max(self.level.spacing)
        while True:
            box, here, _ = self._window(reach)
            wrong = self.region.mask[box] != self.positive
            depth = float(depth_mm(wrong, self.level.spacing)[tuple(here.T)].max())
            if depth < reach or reach > NECK_MM:
                depth = reach if np.isinf(depth) else depth  # nothing in the window is right
                return max(depth, min(self.level.spacing))
            reach *= 2

    def _window(self, reach_mm: float) -> tuple[tuple[slice, ...], IndexArray, IndexArray]:
        """A box around the seed; the seed's voxels, and the contrary ones, as indices in it."""
        steps = np.ceil(reach_mm / np.array(self.level.spacing)).astype(int)
        low = np.maximum(self.at.min(axis=0) - steps, 0)
        high = np.minimum(self.at.max(axis=0) + steps + 1, self.region.mask.shape)
        inside = ((self.others >= low) & (self.others < high)).all(axis=1)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        return box, self.at - low, self.others[inside] - low

    def _change_around(self, spatial: bool) -> None:
        spacing = self.level.spacing
        reach = REACH * self.scale_mm + min(spacing)
        box, here, away = self._window(reach + max(spacing))
        wrong = self.region.mask[box] != self.positive
        near = distance_mm(wrong.shape, here, spacing)
        values = self.level.values[box]
        if spatial:
            part = self._walked(values, wrong, near, away, reach)
        else:
            allowed = wrong & self._like(values)
            allowed[tuple(here.T)] = True
            inner = float(depth_mm(allowed, spacing)[tuple(here.T)].max())
            tight = self.scale_mm + min(spacing) if inner > 0.7 * self.scale_mm else reach
            part = components_of(allowed & (near <= tight), here)
            if len(away):
                part &= near < distance_mm(wrong.shape, away, spacing)
        self._set(box, part, here)

    def _walked(
        self,
        values: Array,
        wrong: BoolArray,
        near: NDArray[np.float64],
        away: IndexArray,
        reach: float,
    ) -> BoolArray:
        """The part of ``wrong`` that a random walker reaches from the seed first."""
        from skimage.segmentation import random_walker

        tight: BoolArray = wrong & (near <= self.scale_mm + min(self.level.spacing))
        labels = np.where(wrong, 0, -1)
        labels[wrong & (near > reach)] = 2
        labels[tuple(away.T)] = np.where(wrong[tuple(away.T)], 2, -1)
        labels[wrong & (near <= 0.5 * self.scale_mm)] = 1
        if np.count_nonzero(labels >= 0) > WALKER_VOXELS or not (labels == 2).any():
            return tight
        labelled = random_walker(values, labels, beta=BETA, mode="cg_j", tol=1e-2, prob_tol=0.1)
        result: BoolArray = (labelled == 1) & wrong
        return result

    def _like(self, values: Array) -> BoolArray:
        """Where the image looks more like the seed than like the other side."""
        low, high = (_typical(c) for c in (self.region.cuts.low, self.region.cuts.high))
        if self.positive:
            below, above = max(low - self.value, 0), max(self.value - high, 0)
            return Cuts(
                min(low, self.value - 0.5 * below - 0.01),
                max(high, self.value + 0.5 * above + 0.01),
            ).holds(values)
        middle = (self.value + self.region.core) / 2
        return values > middle if self.value > self.region.core else values < middle

    def _cut_neck(self) -> bool:
        """Take away all that hangs on the rest by a narrow place only; whether there is one."""
        from scipy import ndimage

        box, here, away = self._window(NECK_MM)
        mask = self.region.mask[box]
        away = away[mask[tuple(away.T)]]
        if not len(away):
            return False
        low = np.maximum([s.start - 1 for s in bounding_box(mask)], 0)
        high = np.minimum([s.stop + 1 for s in bounding_box(mask)], mask.shape)
        box = tuple(
            slice(s.start + int(a), s.start + int(b))
            for s, a, b in zip(box, low, high, strict=True)
        )
        mask, here, away = self.region.mask[box], here - low, away - low
        spacing = self.level.spacing
        depth = depth_mm(mask, spacing)
        top = min(float(depth[tuple(p.T)].max()) for p in (here, away))
        for share in (0.0, 0.15, 0.3, 0.45, 0.6, 0.75):
            labels, count = ndimage.label(depth > share * top)
            mine = np.zeros(count + 1, bool)
            mine[labels[tuple(here.T)]] = True
            mine[0] = False
            core = mine[labels]
            if not core[tuple(away.T)].any():
                rest = (labels > 0) & ~core
                near = depth_mm(~core, spacing)
                far = depth_mm(~rest, spacing)
                part = mask & (near < far) & (near <= share * top + min(spacing))
                self._set(box, part, here)
                return True
        return False

    def _set(self, box: tuple[slice, ...], part: BoolArray, here: IndexArray) -> None:
        part[tuple(here.T)] = True
        self.region.mask[box][part] = self.positive
        self.region.corrected[box][part] = True


def _typical(cut: float | Array) -> float:
    return float(np.median(cut)) if isinstance(cut, np.ndarray) else cut
