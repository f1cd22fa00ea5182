"""The choice between the mask of the embedded method and those of the network at every prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_medvlm.backends.click_network.candidates import Bools, Candidate, best_of
from napari_medvlm.backends.click_network.constraints import corrected_all
from napari_medvlm.backends.click_network.crops import Floats
from napari_medvlm.backends.click_network.gestures import Box, Gesture, Line, Point, Stroke
from napari_medvlm.backends.click_network.segmenter import Predict, Segmenter
from napari_medvlm.backends.embedded.proposals.click import LARGEST_MM3
from napari_medvlm.backends.embedded.proposals.correcting import depth_at
from napari_medvlm.backends.embedded.proposals.forest import expected_dice
from napari_medvlm.backends.embedded.proposals.sources import DRAW, Start, middle_rated, rated
from napari_medvlm.backends.embedded.proposals.starting import clicked
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, Seed
from napari_medvlm.data.geometry.grid import Index

SPREAD_NETWORK, SPREAD_REGIONS = 0.3, 0.1
"""Differences of a score at which a candidate counts 1/e."""
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

    The best region around the click takes part in the comparison, but is not chosen.

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
        regions = [start.mask]
        if start.tissue:
            regions.append(clicked(self._levels, seed))
            own, near = (rated(self._levels, mask, seed)[0] for mask in regions)
            if own < near - DRAW:
                return start  # flat inside, with the click in its middle: not a matter of quality
        network = self._segmenter.alternatives(gestures_of((), [seed]), most=STARTS)
        candidates = self._candidates(regions, network, seed)
        best = candidates[best_of(candidates, START_MARGIN)]
        # Between its own masks the embedded method has chosen already.
        return Start(best.mask, seed) if best.network else start

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
        candidates = self._candidates([after], pairs, seed)
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
        regions: Sequence[Bools],
        network: Sequence[tuple[Bools, float]],
        seed: Seed | None,
    ) -> list[Candidate]:
        qualities = [self._quality(mask, seed) for mask in regions]
        best = max(qualities)
        shares = [float(np.exp((q - best) / SPREAD_REGIONS)) for q in qualities]
        candidates = [
            Candidate(mask, q, share, network=False)
            for mask, q, share in zip(regions, qualities, shares, strict=True)
        ]
        highest = max(total for _, total in network)
        for mask, total in network:
            share = float(np.exp((total - highest) / SPREAD_NETWORK))
            candidates.append(Candidate(mask, self._quality(mask, seed), share, network=True))
        return candidates

    def _quality(self, mask: Bools, seed: Seed | None) -> float:
        if not mask.any():
            return -1.0
        if seed is None:
            return middle_rated(self._levels, mask)
        return float(expected_dice(rated(self._levels, mask, seed)[1][None])[0])


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
