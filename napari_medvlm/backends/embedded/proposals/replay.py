"""The object from its prompts in their order: a proposal first, then correction by correction."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.embedded.levels import Levels
from napari_medvlm.backends.embedded.morph import BoolArray, components_of, grown, shrunk
from napari_medvlm.backends.embedded.proposals.click import Proposal, proposals
from napari_medvlm.backends.embedded.proposals.correcting import corrected
from napari_medvlm.backends.embedded.proposals.windows import to_image, window
from napari_medvlm.backends.embedded.seeds import IndexArray, Seed
from napari_medvlm.results import bounding_box

FINE_VOXELS = 200_000


def started(levels: Levels, seed: Seed) -> BoolArray:
    """The mask ``(z, y, x)`` of the image that a first positive seed means."""
    found = proposals(levels, seed.voxels)
    full = np.zeros(levels.shape, bool)
    if found:
        write(levels, found[0], seed.voxels, full)
    full[tuple(seed.voxels.T)] = True
    return full


def write(levels: Levels, proposal: Proposal, seeds: IndexArray, full: BoolArray) -> None:
    """Write a proposal into the image's voxels; its border is found anew among them."""
    level = proposal.level
    coarse = to_image(proposal.mask, level)
    mask = np.zeros(levels.shape, bool)
    mask[level.box] = coarse
    box = bounding_box(mask)
    low, high = (np.array([getattr(s, n) for s in box]) for n in ("start", "stop"))
    fine = window(levels, low, high, 2.0 * max(f * s for f, s in zip(level.factors, levels.spacing, strict=True) if f > 1) if max(level.factors) > 1 else 0.0, FINE_VOXELS)
    part = mask[fine.box]
    if fine.factors == (1, 1, 1) and level.factors != (1, 1, 1):
        factor = max(level.factors)
        maybe = grown(part, factor // 2 + 1)
        sure = ~grown(~part, factor // 2 + 1)
        part = sure | (maybe & proposal.holds(fine.values))
        part = components_of(part, fine.index_of(seeds))
    full[fine.box] |= filled(part)


def filled(mask: BoolArray) -> BoolArray:
    """The mask with its holes, in 3D and on each slice of the coarsest axis."""
    from scipy import ndimage

    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask]) | mask


def replayed(levels: Levels, seeds: list[Seed]) -> BoolArray:
    """The mask after all seeds in their order."""
    first = next(i for i, s in enumerate(seeds) if s.positive)
    mask = started(levels, seeds[first])
    before = [seeds[first]]
    for i, seed in enumerate(seeds):
        if i != first:
            mask = corrected(levels, mask, seed, before)
            before.append(seed)
    return mask
