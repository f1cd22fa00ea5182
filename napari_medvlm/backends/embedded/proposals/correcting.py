"""A seed that a mask contradicts changes what belongs with it, and nothing far away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.proposals.click import VOLUME, proposals
from napari_medvlm.backends.embedded.proposals.measures import measured
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.windows import refined, to_level, window
from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    components_of,
    depth_mm,
    distance_mm,
    grown,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Level, Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box

FARTHEST_MM = 60.0
"""How far from a seed the mask is looked for."""
REACH, FAR, CAREFUL = 6.0, 12.0, 3.0
"""How far a change goes at most, in depths of the seed in what is wrong."""
THICKER = 1.3
"""What changes is no thicker than so many depths of the seed in it."""
BALL = 0.9
"""The least that changes: a ball around the seed of so many of its depths."""
CERTAIN = 1.0
"""The seed looks unlike the other side if its intensity differs by so much more than the noise."""
SHARES = (0.25, 0.35, 0.45, 0.55, 0.65)
"""Cuts that are tried, as shares of the way from the seed's intensity to the other side's."""
BALLS = (0.45, 0.65, 1.3, 1.8, 2.5)
"""Radii of the balls that are other extents of a correction, in depths of the seed."""
VOXELS = 60_000
"""A change is worked out on so many voxels, at most."""

Floats = NDArray[np.float64]
Spacing = tuple[float, float, float]


def corrected(
    levels: Levels, mask: BoolArray, seed: Seed, before: list[Seed], careful: bool = False
) -> BoolArray:
    """The mask ``(z, y, x)`` of the image after a seed, or itself if it agrees with the seed."""
    wrong = mask[tuple(seed.voxels.T)] != seed.positive
    if not wrong.any():
        return mask
    change, others, same = _change_of(levels, mask, seed, before, careful)
    return _with(levels, mask, change, change.part(others, same), seed.voxels[wrong])


def changes(levels: Levels, mask: BoolArray, seed: Seed, before: list[Seed]) -> Iterator[BoolArray]:
    """The masks that a seed may lead to: changes of several extents around it."""
    wrong = mask[tuple(seed.voxels.T)] != seed.positive
    if wrong.any():
        change, others, same = _change_of(levels, mask, seed, before)
        for part in change.parts(others, same, BALLS):
            yield _with(levels, mask, change, part, seed.voxels[wrong])


def _change_of(
    levels: Levels, mask: BoolArray, seed: Seed, before: list[Seed], careful: bool = False
) -> tuple[_Change, list[IndexArray], list[IndexArray]]:
    """The change that a seed asks for; the seeds on the other side, and on its own."""
    at = seed.voxels[mask[tuple(seed.voxels.T)] != seed.positive]
    depth = depth_at(levels, mask, at, seed.positive)
    if seed.positive:
        depth = _depth_in_part(levels, mask, at, depth)
    reaches = (CAREFUL * depth,) if careful else _reaches(levels, mask, depth)
    level = window(levels, at.min(0), at.max(0) + 1, max(reaches) + 2 * depth + 3, VOXELS)
    others = [level.index_of(s.voxels) for s in before if s.positive != seed.positive]
    same = [level.index_of(s.voxels) for s in before if s.positive == seed.positive]
    change = _Change(
        level, to_level(mask, level), level.index_of(at), seed.positive, depth, reaches
    )
    return change, others, same


def _with(
    levels: Levels, mask: BoolArray, change: _Change, part: _Part, at: IndexArray
) -> BoolArray:
    """The mask of the image with a part of the change's level changed."""
    result = mask.copy()
    holds = None if part.cuts is None else part.cuts.holds
    box, changed = refined(levels, change.level, part.mask, at, holds)
    here = result[box]
    here[changed & (here != change.positive)] = change.positive
    result[tuple(at.T)] = change.positive
    return result


def connected(mask: BoolArray, at: IndexArray) -> BoolArray:
    """The parts of a mask of the image that hold any of the voxels ``(N, 3)``."""
    box = bounding_box(mask)
    result = np.zeros_like(mask)
    result[box] = components_of(mask[box], at - [s.start for s in box])
    return result


def near_only(
    levels: Levels, mask: BoolArray, part: BoolArray, at: IndexArray, positive: bool, thin: bool
) -> BoolArray:
    """What of a change lies within some depths of the seed; if ``thin``, no thicker than there."""
    depth = depth_at(levels, mask, at, positive)
    steps = np.ceil((CAREFUL * depth + max(levels.spacing)) / np.array(levels.spacing)).astype(int)
    low = np.maximum(at.min(0) - steps, 0)
    high = np.minimum(at.max(0) + steps + 1, mask.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    result = np.zeros_like(part)
    inside = components_of(part[box], at - low)
    if thin:
        inside = components_of(_no_thicker(inside, at - low, levels.spacing), at - low)
    result[box] = inside
    return result


def _no_thicker(part: BoolArray, at: IndexArray, spacing: Spacing) -> BoolArray:
    """A part without what is thicker than it is at the voxels ``(N, 3)``."""
    depth = depth_mm(np.pad(part, 1), spacing)[1:-1, 1:-1, 1:-1]
    here = float(depth[tuple(at.T)].max())
    thick = depth > THICKER * max(here, min(spacing))
    return part & (depth_mm(~thick, spacing) > THICKER * here) if thick.any() else part


def _reaches(levels: Levels, mask: BoolArray, depth: float) -> tuple[float, ...]:
    """How far from the seed changes are looked for, in mm."""
    volume = float(np.count_nonzero(mask)) * float(np.prod(levels.spacing))
    size = 2 * (3 * volume / (4 * np.pi)) ** (1 / 3)
    near, far = REACH * depth, min(FAR * depth, size)
    return (near, far) if far > 1.2 * near else (near,)


def _depth_in_part(levels: Levels, mask: BoolArray, at: IndexArray, depth: float) -> float:
    """The depth of a positive seed in what is missed, in mm, from its distance to the mask.

    They differ where the missed part does not touch the mask. A seed farther from the mask than the
    mask is deep lies in a part that is at most as large as the region that a click there means.
    """
    if not mask.any() or depth <= float(depth_mm(_padded(mask), levels.spacing).max()):
        return depth
    regions = proposals(levels, at)
    if not regions:
        return depth
    radius = (3 * float(np.exp(regions[0].measures[VOLUME])) / (4 * np.pi)) ** (1 / 3)
    return float(max(min(depth, radius), min(levels.spacing)))


def _padded(mask: BoolArray) -> BoolArray:
    """The part of a mask with all that is inside, with a voxel around it."""
    return np.pad(mask[bounding_box(mask)], 1)


def depth_at(levels: Levels, mask: BoolArray, at: IndexArray, positive: bool) -> float:
    """How far the seed lies from where the mask agrees with it, in mm."""
    reach = 8.0 * min(levels.spacing)
    while True:
        steps = np.ceil(reach / np.array(levels.spacing)).astype(int)
        low = np.maximum(at.min(0) - steps, 0)
        high = np.minimum(at.max(0) + 1 + steps, levels.shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        wrong = mask[box] != positive
        depth = float(depth_mm(wrong, levels.spacing)[tuple((at - low).T)].max())
        if depth < reach or reach > FARTHEST_MM:
            return min(max(depth, min(levels.spacing)), FARTHEST_MM)
        reach *= 2


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a level that may change, ``(z, y, x)`` bool.

    Attributes
    ----------
    score
        Of the mask after the change.
    cuts
        The intensities of the part; `None`: it is a ball.
    """

    mask: BoolArray
    score: float = -np.inf
    cuts: Cuts | None = None


@dataclass
class _Change:
    """The part of a level that changes with one seed."""

    level: Level
    mask: BoolArray
    at: IndexArray
    positive: bool
    depth: float
    reaches: tuple[float, ...]

    def part(self, others: list[IndexArray], same: list[IndexArray]) -> _Part:
        """What changes: the part with the best result."""
        return max(self.parts(others, same), key=lambda part: part.score)

    def parts(
        self, others: list[IndexArray], same: list[IndexArray], balls: tuple[float, ...] = ()
    ) -> Iterator[_Part]:
        """Parts of the level that may change.

        Parameters
        ----------
        balls
            Radii of balls around the seed that are tried besides, in its depths.
        """
        spacing = self.level.spacing
        wrong = self.mask != self.positive
        wrong[tuple(self.at.T)] = True
        near = distance_mm(wrong.shape, self.at, spacing)
        ball = wrong & (near <= max(BALL * self.depth, 0.5 * min(spacing)))
        if others:
            far = distance_mm(wrong.shape, np.concatenate(others), spacing)
            wrong &= near < far
            wrong[tuple(self.at.T)] = True
        inside = np.concatenate([self.at, *same] if self.positive else (others or [self.at]))
        typical = float(np.median(self.level.values[tuple(inside.T)]))
        best = components_of(ball & wrong, self.at)
        known = {int(np.count_nonzero(best))}
        yield _Part(best, self._value(best, inside, typical))
        for radius in balls:
            yield _Part(components_of(wrong & (near <= radius * self.depth), self.at))
        for share, reach in product(SHARES, self.reaches):
            alike = self._alike(wrong, near, share, reach)
            if alike is None:
                break
            part = components_of(alike.mask | (ball & wrong), self.at)
            count = int(np.count_nonzero(part))
            if count in known:
                continue
            known.add(count)
            yield _Part(part, self._value(part, inside, typical), alike.cuts)

    def _value(self, part: BoolArray, inside: IndexArray, typical: float) -> float:
        """The score of the mask with a part changed."""
        mask = self.mask | part if self.positive else self.mask & ~part
        return score(measured(self.level, mask, inside, typical)) if mask.any() else -np.inf

    def _alike(self, wrong: BoolArray, near: Floats, share: float, reach: float) -> _Part | None:
        """What looks like the seed, is connected with it and no thicker than there."""
        values, spacing = self.level.values, self.level.spacing
        step = max(spacing) if self.depth > max(spacing) else min(spacing)
        close = wrong & (near <= max(0.5 * self.depth, min(spacing)))
        value = float(np.median(values[close]))
        noise = 1.5 * float(np.median(np.abs(values[close] - value))) + 1e-6
        reference = self._reference(wrong, near, step)
        if reference is None or abs(value - reference) < CERTAIN * noise:
            return None
        limit = value + share * (reference - value)
        cuts = Cuts(limit, np.inf) if value > reference else Cuts(-np.inf, limit)
        allowed = wrong & cuts.holds(values)
        allowed[tuple(self.at.T)] = True
        allowed = components_of(allowed & (near <= reach + min(spacing)), self.at)
        return _Part(_no_thicker(allowed, self.at, spacing), cuts=cuts)

    def _reference(self, wrong: BoolArray, near: Floats, step: float) -> float | None:
        """The intensity of the other side near the seed."""
        if self.positive:
            away = wrong & ~grown(self.mask) & (near > 1.5 * self.depth + step)
        else:
            away = wrong & (near > 1.5 * self.depth + step)
        away &= near <= max(self.reaches) + self.depth + 2 * step
        if np.count_nonzero(away) < 5:
            return None
        return float(np.median(self.level.values[away]))
