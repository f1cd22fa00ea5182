"""From seeds to a region on one level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.region.amend import Region
from napari_medvlm.backends.region.cuts import Cuts, EdgeProfile
from napari_medvlm.backends.region.levels import Array, Level, block_mean
from napari_medvlm.backends.region.morph import components_of, grown, shrunk
from napari_medvlm.backends.region.seeds import Said, Seed

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]
REACH_MM = 60.0
"""How far a single correction can be felt."""


def seed_value(level: Level, seed: Seed) -> float:
    """The intensity that a seed stands for."""
    return float(np.median(level.values[tuple(level.index_of(seed.voxels).T)]))


class Chooser:
    """Finds the object's cuts from the seeds in their order.

    The more seeds there are, the less a single one may change: a cut that makes the region grow or
    shrink too much is refused, and the seed is left to a local correction.
    """

    def __init__(self, level: Level, seeds: list[Seed]) -> None:
        positives = [s for s in seeds if s.positive]
        weights = shell_weights(level, positives[:1])
        self.level = level
        self.profile = EdgeProfile.of(level.values.ravel(), level.gradient.ravel(), weights.ravel())
        self.values = [seed_value(level, s) for s in seeds]
        self.seeds = seeds
        self.points = np.concatenate([level.index_of(s.voxels) for s in positives])
        first = next(i for i, s in enumerate(seeds) if s.positive)
        value = self.values[first]
        self.held = [value]
        self.heard = [(seeds[first], value)]
        self.core = value
        self.cuts = Cuts(self.profile.next_cut(value, -1), self.profile.next_cut(value, 1))
        self.mask, self.fields = self.region(self.cuts), self.cuts
        self.settle(HALFWAY, 1.6)
        if len(positives) > 1:
            weights = shell_weights(level, positives)
            self.profile = EdgeProfile.of(level.values.ravel(), level.gradient.ravel(), weights.ravel())
        for i, seed in enumerate(seeds):
            if i != first and i <= GLOBAL:
                self._hear(seed, self.values[i], 1 + 3 / max(i, 1), i >= LATE)

    def region(self, cuts: Cuts) -> BoolArray:
        return components_of(cuts.holds(self.level.values), self.points)

    def settle(self, times: int, limit: float) -> None:
        for _ in range(times):
            cuts = halfway(self.level, self.mask, self.cuts, self.heard)
            if not self._accept(cuts, limit):
                return

    def _hear(self, seed: Seed, value: float, limit: float, late: bool) -> None:
        self.heard.append((seed, value))
        inside = self.cuts.low < value < self.cuts.high
        if seed.positive == inside:
            if inside:
                self.held.append(value)
            return
        inside = self.level.values[self.mask][::7]
        middle = float(np.median(inside))
        spread = 1.5 * float(np.median(np.abs(inside - middle)))
        for cuts, deep in self._proposals(seed, value):
            if not seed.positive and (not deep) and min(middle - cuts.low, cuts.high - middle) < SPREAD * spread:
                continue
            if self._accept(cuts, limit, seed if deep or late else None):
                if seed.positive:
                    self.held.append(value)
                if SETTLE: self.settle(1, 1.3)
                return

    def _proposals(self, seed: Seed, value: float):
        profile, cuts = self.profile, self.cuts
        low, high = min(self.held), max(self.held)
        up = value > (high if not seed.positive else cuts.high)
        nearest = high if value > high else low
        if seed.positive:
            if profile.separated(value, nearest):
                edge = profile.next_cut(value, 1 if up else -1)
                yield (Cuts(cuts.low, edge) if up else Cuts(edge, cuts.high)), False
            edge = value + TOLERANCE * (value - self.core)
            cut = cuts.high if up else cuts.low
            if abs(edge - self.core) < SHIFT_UP * abs(cut - self.core):
                yield (Cuts(cuts.low, edge) if up else Cuts(edge, cuts.high)), True
            return
        if low <= value <= high:
            return
        if profile.separated(value, nearest):
            edge = profile.steepest(nearest, value)
            yield (Cuts(cuts.low, edge) if up else Cuts(edge, cuts.high)), False
        cut = cuts.high if up else cuts.low
        if np.isfinite(cut) and abs(value - self.core) > SHIFT_DOWN * abs(cut - self.core):
            value += TOLERANCE * (self.core - value)
            yield (Cuts(cuts.low, value) if up else Cuts(value, cuts.high)), True

    def _accept(self, cuts: Cuts, limit: float, deep: Seed | None = None) -> bool:
        mask = self.region(cuts)
        if deep is not None:
            at = self.level.index_of(deep.voxels)
            change = mask != self.mask
            for _ in range(DEPTH):
                change = shrunk(change)
            if not grown(change)[tuple(at.T)].any():
                return False
        before, after = np.count_nonzero(self.mask), np.count_nonzero(mask)
        if not before / limit <= after <= before * limit:
            return False
        self.cuts, self.mask, self.fields = cuts, mask, cuts
        if DBG: print('   accept', cuts, before, after, deep)
        return True



DBG = False
TOLERANCE = 0.3
LATE = 2
GLOBAL = 3
SPREAD = 1
DEPTH = 1
SHIFT_UP = 1.3
SHIFT_DOWN = 0.4


def shell_weights(level: Level, seeds: list[Seed]) -> Array:
    """Weights that count every doubling of the distance to the nearest positive seed alike."""
    nearest: Array | None = None
    for seed in seeds:
        if not seed.positive:
            continue
        at = level.index_of(seed.voxels)
        center = at[len(at) // 2]
        square = _square_distance(level, center)
        nearest = square if nearest is None else np.minimum(nearest, square)
    assert nearest is not None
    weights: Array = (np.sqrt(nearest) + np.float32(6)) ** -4
    return weights


def _square_distance(level: Level, center: IndexArray) -> Array:
    parts = [
        ((np.arange(n, dtype=np.float32) - c) * np.float32(s)) ** 2
        for n, c, s in zip(level.values.shape, center, level.spacing, strict=True)
    ]
    return parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]


def local_cuts(level: Level, mask: BoolArray, cuts: Cuts) -> Cuts:
    """The cuts half-way between the intensities on either side of the border, place by place."""
    inner = shrunk(mask)
    inner = inner if np.count_nonzero(inner) > 0.2 * np.count_nonzero(mask) else mask
    first = grown(mask)
    ring = grown(first) & ~first
    values = level.values
    middle = _local_shift(values, inner, level.spacing)
    low, high = cuts.low, cuts.high
    total = max(np.count_nonzero(ring), 1)
    below, above = ring & (values < low), ring & (values > high)
    if np.count_nonzero(below) > 0.1 * total:
        low = low + _minmod(middle, _local_shift(values, below, level.spacing))
    if np.count_nonzero(above) > 0.1 * total:
        high = high + _minmod(middle, _local_shift(values, above, level.spacing))
    return Cuts(low, high)


LOCAL_MM = 12.0
TRUST = 0.01


def _minmod(a,b):
    return np.where(a * b > 0, np.where(np.abs(a) < np.abs(b), a, b), np.float32(0))


def _local_shift(values: Array, mask: BoolArray, spacing) -> Array:
    """A smooth field of the mean over a mask, the global mean far from it."""
    from scipy import ndimage

    factors = tuple(max(min(round(LOCAL_MM / 3 / s), n), 1) for s, n in zip(spacing, values.shape, strict=True))
    weight = block_mean(mask.astype(np.float32), factors)
    amount = block_mean(np.where(mask, values, np.float32(0)), factors)
    whole = float(amount.sum() / max(weight.sum(), 1e-6))
    sigma = [LOCAL_MM / s / f for s, f in zip(spacing, factors, strict=True)]
    weight = ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3)
    amount = ndimage.gaussian_filter(amount, sigma, mode="constant", truncate=3)
    trust = TRUST * float(weight.max())
    field = (amount + trust * whole) / (weight + trust) - whole
    for axis, f in enumerate(factors):
        if f > 1:
            field = np.repeat(field, f, axis=axis)
    return field[: values.shape[0], : values.shape[1], : values.shape[2]]


LOCAL = 2


def solve(level: Level, said: Said) -> Region:
    """The region that the seeds mean on a level."""
    positives = said.positives
    chooser = Chooser(level, said.seeds)
    cuts, profile = chooser.cuts, chooser.profile
    core = float(np.median([seed_value(level, s) for s in positives]))
    for _ in range(LOCAL):
        cuts = local_cuts(level, chooser.mask, chooser.cuts)
        fields = cuts
        mask = components_of(cuts.holds(level.values), chooser.points)
        before, after = np.count_nonzero(chooser.mask), np.count_nonzero(mask)
        if not before / 1.5 <= after <= before * 1.5:
            break
        chooser.mask, chooser.fields = mask, cuts
    inside = level.values[chooser.mask][::7]
    middle = float(np.median(inside))
    spread = 1.5 * float(np.median(np.abs(inside - middle)))
    return Region(chooser.mask.copy(), np.zeros_like(chooser.mask), chooser.fields, middle, spread)


NONE = 0.02
SETTLE = 1
RATIO = 1.5
HALFWAY = 3


def halfway(level: Level, mask: BoolArray, cuts: Cuts, heard: list[tuple[Seed, float]]) -> Cuts:
    """The cuts moved half-way between the intensities on either side of the border."""
    from scipy import ndimage

    inner = shrunk(mask)
    core = level.values[inner if inner.sum() > 50 else mask]
    if core.size < 20:
        return cuts
    middle = float(np.median(core))
    first = grown(mask)
    ring = level.values[grown(first) & ~first]
    low, high = cuts.low, cuts.high
    below, above = ring[ring < low], ring[ring > high]
    if below.size > 0.1 * ring.size:
        low = (middle + float(np.median(below))) / 2
    elif below.size < NONE * ring.size:
        low = -np.inf
    if above.size > 0.1 * ring.size:
        high = (middle + float(np.median(above))) / 2
    elif above.size < NONE * ring.size:
        high = np.inf
    if min(below.size, above.size) > 0.1 * ring.size:
        low = max(low, middle - RATIO * (high - middle))
        high = min(high, middle + RATIO * (middle - low))
    for seed, value in heard:
        if seed.positive and cuts.low < value < cuts.high:
            low, high = min(low, value - 1e-3), max(high, value + 1e-3)
        elif not seed.positive:
            low = max(low, value) if value <= cuts.low else low
            high = min(high, value) if value >= cuts.high else high
    return Cuts(low, high)


