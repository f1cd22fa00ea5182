"""Where an object begins: the mask of the first prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_medvlm.backends.embedded.proposals.bounds import best_within, starts_in
from napari_medvlm.backends.embedded.proposals.click import Proposal, proposals
from napari_medvlm.backends.embedded.proposals.sections import extended, section_in
from napari_medvlm.backends.embedded.proposals.windows import (
    refined,
    to_image,
    to_level,
    window,
)
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    filled,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import IndexArray, Seed

LONGER, INNER = 1.08, 0.75
"""A line is a diameter of the object, or nearly; so much of it is surely inside."""


def clicked(levels: Levels, seed: Seed) -> BoolArray:
    """The mask ``(z, y, x)`` of the image that a first positive seed means."""
    return clicked_with_seed(levels, seed)[0]


def clicked_with_seed(levels: Levels, seed: Seed) -> tuple[BoolArray, Seed]:
    """The mask ``(z, y, x)`` of the image that a first positive seed means.

    Returned with the seed that its region grows from: a voxel near a click that misses the region.
    """
    ranked = proposals(levels, seed.voxels)
    full = np.zeros(levels.shape, bool)
    if ranked:
        write(levels, ranked[0], seed.voxels, full)
        seed = replace(seed, voxels=ranked[0].at)
    full[tuple(seed.voxels.T)] = True
    return full, seed


def agreeing(levels: Levels, seeds: list[Seed]) -> BoolArray | None:
    """The mask of the best proposal that agrees with all seeds; `None` if none does."""
    positives = [s for s in seeds if s.positive]
    negatives = [s for s in seeds if not s.positive]
    for proposal in proposals(levels, positives[0].voxels):
        if _agrees(proposal, positives[1:], negatives):
            full = np.zeros(levels.shape, bool)
            write(levels, proposal, positives[0].voxels, full)
            if all(full[tuple(s.voxels.T)].any() == s.positive for s in seeds):
                return full
    return None


def _agrees(proposal: Proposal, positives: list[Seed], negatives: list[Seed]) -> bool:
    mask, level = proposal.mask, proposal.level
    for seed in [*positives, *negatives]:
        start, stop = (np.array([getattr(s, n) for s in level.box]) for n in ("start", "stop"))
        inside = ((seed.voxels >= start) & (seed.voxels < stop)).all(axis=1)
        touched = inside.any() and bool(mask[tuple(level.index_of(seed.voxels[inside]).T)].any())
        if touched != seed.positive:
            return False
    return True


def boxed(levels: Levels, start: IndexArray, stop: IndexArray, flat: int | None) -> BoolArray:
    """What stands out in a half-open index box: the object, or its section in a flat box."""
    bound = np.zeros(levels.shape, bool)
    bound[tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))] = True
    if flat is not None:
        return section_in(levels, bound, flat, None)
    margin = np.maximum((stop - start) // 4, 2)
    level = window(levels, start - margin, stop + margin, 0.0)
    inside = to_level(bound, level)
    best = best_within(level, inside, starts_in(level, inside))
    if best is None:
        return bound
    result = np.zeros_like(bound)
    result[level.box] = to_image(best, level)
    return result & bound


def lined(levels: Levels, voxels: IndexArray, axis: int) -> BoolArray:
    """The object whose longest diameter on a slice is a line over voxels ``(N, 3)``."""
    places = voxels * np.array(levels.spacing)
    middle = (places.min(0) + places.max(0)) / 2
    half = float(np.linalg.norm(places - middle, axis=1).max())
    axes = np.ix_(*(np.arange(n) for n in levels.shape))
    square = sum((a * s - c) ** 2 for a, s, c in zip(axes, levels.spacing, middle, strict=True))
    bound = square <= (LONGER * half + min(levels.spacing)) ** 2
    keep = np.zeros_like(bound)
    plane = tuple(
        slice(voxels[0, a], voxels[0, a] + 1) if a == axis else slice(None) for a in range(3)
    )
    keep[plane] = bound[plane]
    inner = np.linalg.norm(places - middle, axis=1) <= INNER * half
    return extended(levels, section_in(levels, keep, axis, voxels[inner]), axis)


def write(levels: Levels, proposal: Proposal, seeds: IndexArray, full: BoolArray) -> None:
    """Write a proposal into the image's voxels; its border is computed again among them.

    Parameters
    ----------
    seeds
        ``(N, 3)`` voxels of the prompt. A click that the proposal misses is joined with it.
    full
        ``(z, y, x)`` bool of the image; written to.
    """
    box, part = refined(levels, proposal.level, proposal.mask, proposal.at, proposal.holds)
    full[box] |= filled(part)
    if len(seeds) == 1:
        full[tuple(_between(seeds[0], proposal.at[0]).T)] = True


def _between(start: IndexArray, stop: IndexArray) -> IndexArray:
    """The voxels ``(N, 3)`` of a straight line, both ends included."""
    count = 2 * int(np.abs(stop - start).max()) + 1
    return np.rint(np.linspace(start, stop, count)).astype(np.int64)
