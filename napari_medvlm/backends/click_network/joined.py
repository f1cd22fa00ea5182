"""The choice between the mask of the embedded method and those of the network at every prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_medvlm.backends.click_network.candidates import Bools, Candidate, best_of
from napari_medvlm.backends.click_network.constraints import corrected_all
from napari_medvlm.backends.click_network.crops import Floats
from napari_medvlm.backends.click_network.gestures import Box, Gesture, Line, Point, Stroke
from napari_medvlm.backends.click_network.segmenter import Predict, Segmenter
from napari_medvlm.backends.embedded.proposals.click import LARGEST_MM3, proposals
from napari_medvlm.backends.embedded.proposals.correcting import depth_at
from napari_medvlm.backends.embedded.proposals.forest import NUDGE, expected_dice
from napari_medvlm.backends.embedded.proposals.measures import CLICK_NAMES, NAMES
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.sources import DRAW, Start, middle_rated, rated
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, Seed
from napari_medvlm.data.geometry.grid import Index

SPREAD = 0.3
"""Difference of the totals at which a mask of the network counts 1/e."""
STARTS, CORRECTIONS = 3, 2
"""So many masks of the network compete at a first point and at a correction."""
START_MARGIN = 0.05
"""The embedded method's first mask is taken unless one of the network is worth so much more."""
MARGIN = 0.005
"""The network's correction is taken if it is worth so much more than that of the regions."""
LARGER, SHARE = 4.0, 0.04
"""The network's correction is at most so many times as large as that of the regions, and as a ball
of the seed's depth; a change of this share of the mask is always allowed."""
MANY = 2000
"""A seed of more voxels is taken as it is."""
SLICES = 4
"""An image with fewer slices along an axis is left to the regions."""


class NetworkSource:
    """Chooses between the mask of the embedded method and those of the network.

    Parameters
    ----------
    levels
        The image as the embedded method sees it.
    image
        ``(z, y, x)`` float32.
    predict
        The network.
    """

    def __init__(self, levels: Levels, image: Floats, predict: Predict) -> None:
        self._levels = levels
        self._segmenter = Segmenter(image, levels.spacing, predict)
        self._suited = min(image.shape) >= SLICES

    def start(self, prompts: EmbeddedPrompts, start: Start) -> Start:
        """The first mask: of the boxes, or else of the first positive seed."""
        large = np.count_nonzero(start.mask) * np.prod(self._levels.spacing) > LARGEST_MM3
        seed = start.seed
        if not self._suited or large or seed is None or len(seed.voxels) > 1:
            return start
        if self._is_settled(start, seed):
            return start
        network = self._segmenter.alternatives(gestures_of((), [seed]), most=STARTS)
        candidates = self._candidates(start.mask, network, lambda m: self._expected(m, seed))
        best = candidates[best_of(candidates, START_MARGIN)]
        return Start(best.mask, seed) if best.network else start

    def _is_settled(self, start: Start, seed: Seed) -> bool:
        """Whether the first mask is a region near a click that misses it, or a flat tissue.

        A flat tissue was taken although the near region scores higher.
        """
        near = proposals(self._levels, seed.voxels)
        if not near:
            return False
        if not start.tissue:
            return bool(near[0].measures[NUDGE] > 0)
        return rated(self._levels, start.mask, seed)[0] < score(near[0].measures) - DRAW

    def change(self, prompts: EmbeddedPrompts, before: Bools, after: Bools) -> Bools:
        """The mask after the newest seed, which contradicts the mask before.

        Parameters
        ----------
        before, after
            ``(z, y, x)``; the mask without the seed, and as the embedded method changes it.
        """
        newest = prompts.seeds[-1]
        large = np.count_nonzero(before) * np.prod(self._levels.spacing) > LARGEST_MM3
        if not self._suited or large or len(newest.voxels) > MANY:
            return after
        gestures = gestures_of(prompts.bounds, prompts.seeds)
        network = self._segmenter.alternatives(gestures, before, CORRECTIONS)
        correction = as_points(newest)
        local = corrected_all(before, [m for m, _ in network], correction, self._levels.spacing)
        most = self._largest_change(before, after, newest)
        pairs = [
            (mask, total)
            for mask, (_, total) in zip(local, network, strict=True)
            if np.count_nonzero(mask != before) <= most
        ]
        if not pairs:
            return after
        seed = next((s for s in prompts.seeds if s.positive), None)
        candidates = self._candidates(after, pairs, lambda m: self._score(m, seed))
        return candidates[best_of(candidates, MARGIN)].mask

    def _largest_change(self, before: Bools, after: Bools, newest: Seed) -> float:
        """So many voxels change at most with the newest seed, if the network corrects.

        A point is expected in the middle of an error, whose size follows from its depth there.
        """
        wrong = newest.voxels[before[tuple(newest.voxels.T)] != newest.positive]
        depth = depth_at(self._levels, before, wrong, newest.positive)
        ball = float(4 / 3 * np.pi * depth**3 / np.prod(self._levels.spacing))
        change = LARGER * max(float(np.count_nonzero(after != before)), ball)
        return max(change, SHARE * float(np.count_nonzero(before)))

    def _candidates(
        self,
        region: Bools,
        network: Sequence[tuple[Bools, float]],
        quality: Callable[[Bools], float],
    ) -> list[Candidate]:
        """The mask of the embedded method, then those of the network."""
        candidates = [Candidate(region, quality(region), 1.0, network=False)]
        highest = max(total for _, total in network)
        for mask, total in network:
            share = float(np.exp((total - highest) / SPREAD))
            candidates.append(Candidate(mask, quality(mask), share, network=True))
        return candidates

    def _expected(self, mask: Bools, seed: Seed) -> float:
        """The Dice that the trees of first clicks expect."""
        if not mask.any():
            return -1.0
        measures = np.zeros((1, len(CLICK_NAMES)))
        measures[0, : len(NAMES)] = rated(self._levels, mask, seed)[1]
        return float(expected_dice(measures)[0])

    def _score(self, mask: Bools, seed: Seed | None) -> float:
        """The score of a corrected mask, of which the trees know nothing."""
        if not mask.any():
            return -1.0
        if seed is None:
            return middle_rated(self._levels, mask)
        return rated(self._levels, mask, seed)[0]


def gestures_of(
    bounds: Sequence[tuple[np.ndarray, np.ndarray]], seeds: Sequence[Seed]
) -> list[Gesture]:
    """Prompts of the embedded method as the network reads them."""
    boxes: list[Gesture] = [Box(_index(low), _index(high)) for low, high in bounds]
    return boxes + [_gesture(seed) for seed in seeds]


def _gesture(seed: Seed) -> Gesture:
    if seed.kind == "line" and seed.positive:
        return Line(_index(seed.voxels[0]), _index(seed.voxels[-1]))
    return as_points(seed)


def as_points(seed: Seed) -> Point | Stroke:
    """A prompt as a point, or as a stroke of several voxels."""
    if len(seed.voxels) == 1:
        return Point(_index(seed.voxels[0]), seed.positive)
    return Stroke(tuple(map(_index, seed.voxels)), seed.positive)


def _index(zyx: np.ndarray) -> Index:
    z, y, x = (int(i) for i in zyx)
    return z, y, x
