"""From seeds to the intensities of the object."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_medvlm.backends.embedded.segmentation.border import Heard, halfway
from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts, EdgeProfile
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    components_of,
    grown,
    shrunk,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Level
from napari_medvlm.backends.embedded.segmentation.seeds import IndexArray, Seed

FIRST_ROUNDS = 3
"""How often the first cuts are moved to the border."""
LATE = 2
"""From this seed on, a change of the cuts must change the surroundings of the seed."""
GLOBAL = 3
"""Seeds after this one are left to local corrections."""
TOLERANCE = 0.3
"""How far beyond a seed's intensity a cut is moved, in parts of its distance from the object's."""
WIDER, NARROWER = 1.3, 0.4
"""How far a cut may be moved at once, in parts of its distance from the object's intensity."""


def chosen_by(seeds: list[Seed]) -> list[Seed]:
    """The seeds that `Chooser` depends on: the first ones, and all positive ones."""
    first = next(i for i, s in enumerate(seeds) if s.positive)
    return [s for i, s in enumerate(seeds) if s.positive or i < max(GLOBAL, first) + 1]


def seed_value(level: Level, seed: Seed) -> float:
    """The intensity of a seed's object."""
    return float(np.median(level.values[tuple(level.index_of(seed.voxels).T)]))


class Chooser:
    """Finds the object's cuts from the seeds in their order.

    The more seeds there are, the less a single one may change: a cut that makes the region grow or
    shrink too much is refused, and the seed is left to a local correction.

    Attributes
    ----------
    cuts
        The intensities of the object.
    mask
        ``(z, y, x)`` bool on the level: what lies between the cuts and holds a positive seed.
    points
        ``(N, 3)`` voxels of the positive seeds on the level.
    """

    def __init__(self, level: Level, seeds: list[Seed]) -> None:
        positives = [s for s in seeds if s.positive]
        values = [seed_value(level, s) for s in seeds]
        first = next(i for i, s in enumerate(seeds) if s.positive)
        self.points = np.concatenate([level.index_of(s.voxels) for s in positives])
        self._level = level
        self._profile = _profile(level, positives[:1])
        self._core = values[first]
        self._held = [self._core]
        early = list(zip(seeds, values, strict=True))[: max(GLOBAL, first) + 1]
        self._heard: list[Heard] = early
        self.cuts = Cuts(
            self._profile.next_cut(self._core, -1), self._profile.next_cut(self._core, 1)
        )
        self.mask = self._region(self.cuts)
        self._settle(FIRST_ROUNDS, 1.6)
        if len(positives) > 1:
            self._profile = _profile(level, [s for s, _ in early if s.positive])
        for i, (seed, value) in enumerate(early):
            if i != first:
                self._hear(seed, value, 1 + 3 / max(i, 1), late=i >= LATE)

    def _region(self, cuts: Cuts) -> BoolArray:
        return components_of(cuts.holds(self._level.values), self.points)

    def _settle(self, times: int, limit: float) -> None:
        """Move the cuts to the border, as often as that changes the region but little."""
        for _ in range(times):
            if not self._accept(halfway(self._level, self.mask, self.cuts, self._heard), limit):
                return

    def _hear(self, seed: Seed, value: float, limit: float, late: bool) -> None:
        """Let a seed change the cuts if they contradict it."""
        inside = bool(self.cuts.low < value < self.cuts.high)
        if seed.positive == inside:
            if inside:
                self._held.append(value)
            return
        for cuts, deep in self._proposals(seed, value):
            if not (seed.positive or deep or self._leaves_room(cuts)):
                continue
            if self._accept(cuts, limit, seed if deep or late else None):
                if seed.positive:
                    self._held.append(value)
                self._settle(1, 1.3)
                return

    def _leaves_room(self, cuts: Cuts) -> bool:
        """Whether the cuts stay clear of the intensities that most of the object has."""
        inside = self._level.values[self.mask][::7]
        middle = float(np.median(inside))
        spread = 1.5 * float(np.median(np.abs(inside - middle)))
        return min(middle - float(cuts.low), float(cuts.high) - middle) >= spread

    def _proposals(self, seed: Seed, value: float) -> Iterator[tuple[Cuts, bool]]:
        """Cuts that agree with a seed, and whether they follow from its own intensity alone."""
        return self._wider(value) if seed.positive else self._narrower(value)

    def _wider(self, value: float) -> Iterator[tuple[Cuts, bool]]:
        up = bool(value > self.cuts.high)
        if self._profile.separated(value, self._nearest(value)):
            yield self._with(self._profile.next_cut(value, 1 if up else -1), up), False
        edge = value + TOLERANCE * (value - self._core)
        cut = float(self.cuts.high if up else self.cuts.low)
        if abs(edge - self._core) < WIDER * abs(cut - self._core):
            yield self._with(edge, up), True

    def _narrower(self, value: float) -> Iterator[tuple[Cuts, bool]]:
        low, high = min(self._held), max(self._held)
        if low <= value <= high:
            return
        up = value > high
        nearest = self._nearest(value)
        if self._profile.separated(value, nearest):
            yield self._with(self._profile.steepest(nearest, value), up), False
        cut = float(self.cuts.high if up else self.cuts.low)
        if np.isfinite(cut) and abs(value - self._core) > NARROWER * abs(cut - self._core):
            yield self._with(value + TOLERANCE * (self._core - value), up), True

    def _nearest(self, value: float) -> float:
        """The end of the intensities of the positive seeds that a value is beyond."""
        return max(self._held) if value > max(self._held) else min(self._held)

    def _with(self, edge: float, up: bool) -> Cuts:
        return Cuts(self.cuts.low, edge) if up else Cuts(edge, self.cuts.high)

    def _accept(self, cuts: Cuts, limit: float, at: Seed | None = None) -> bool:
        """Take cuts unless the region changes by more than a factor, or not at the seed."""
        mask = self._region(cuts)
        if at is not None:
            voxels = self._level.index_of(at.voxels)
            if not grown(shrunk(mask != self.mask))[tuple(voxels.T)].any():
                return False
        before, after = np.count_nonzero(self.mask), np.count_nonzero(mask)
        if not before / limit <= after <= before * limit:
            return False
        self.cuts, self.mask = cuts, mask
        return True


def _profile(level: Level, seeds: list[Seed]) -> EdgeProfile:
    """The edges around seeds; every doubling of the distance to the nearest counts alike."""
    key = ("profile", *(s.voxels.tobytes() for s in seeds))
    return level.remembered(key, lambda: _new_profile(level, seeds))


def _new_profile(level: Level, seeds: list[Seed]) -> EdgeProfile:
    weights = (np.sqrt(_nearest_square(level, seeds)) + np.float32(6)) ** -4
    reach = [seed_value(level, seed) for seed in seeds]
    return EdgeProfile.of(level.values.ravel(), level.gradient.ravel(), weights.ravel(), reach)


def _nearest_square(level: Level, seeds: list[Seed]) -> Array:
    centers = [at[len(at) // 2] for at in (level.index_of(s.voxels) for s in seeds)]
    nearest = _square_distance(level, centers[0])
    for center in centers[1:]:
        nearest = np.minimum(nearest, _square_distance(level, center))
    return nearest


def _square_distance(level: Level, center: IndexArray) -> Array:
    parts = [
        ((np.arange(n, dtype=np.float32) - c) * np.float32(s)) ** 2
        for n, c, s in zip(level.values.shape, center, level.spacing, strict=True)
    ]
    result: Array = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
    return result
