"""Other extents of what a point means: smaller and larger ones, in steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_medvlm.backends.embedded.proposals.click import Proposal, proposals
from napari_medvlm.backends.embedded.proposals.correcting import changes
from napari_medvlm.backends.embedded.proposals.starting import write
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    components_of,
    depth_mm,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box
from napari_medvlm.data.prompts import MAX_SIZE_STEP

STEP = 1.4
"""Candidates of a first point differ in volume by this factor or more."""
CHANGE = 1.1
"""Candidates of a correction differ in volume by this factor or more."""


@dataclass(frozen=True, eq=False)
class Resized:
    """A mask of another extent.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool of the image.
    is_last
        Whether no further step in this direction changes it.
    """

    mask: BoolArray
    is_last: bool


def resized_start(levels: Levels, mask: BoolArray, seed: Seed) -> Resized:
    """The extent of a first point that is ``seed.size_step`` steps from its own.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool of the image: the extent at step 0.

    Returns
    -------
    If there are fewer candidates on that side, the border of the last one is moved.
    """
    voxel = float(np.prod(levels.spacing))
    own = max(int(np.count_nonzero(mask)), 1) * voxel
    best: dict[int, Proposal] = {}
    for proposal in proposals(levels, seed.voxels):  # the best first
        volume = np.count_nonzero(proposal.mask) * float(np.prod(proposal.level.spacing))
        best.setdefault(round(float(np.log(volume / own) / np.log(STEP))), proposal)
    rungs = sorted(rung for rung in best if rung * seed.size_step > 0)
    ladder = [mask]
    for rung in rungs if seed.size_step > 0 else reversed(rungs):
        candidate = np.zeros_like(mask)
        write(levels, best[rung], seed.voxels, candidate)
        candidate[tuple(seed.voxels.T)] = True
        if _beyond(candidate, ladder[-1], seed.size_step):
            ladder.append(candidate)
        if len(ladder) > abs(seed.size_step):
            return Resized(ladder[-1], abs(seed.size_step) == MAX_SIZE_STEP)
    left = abs(seed.size_step) + 1 - len(ladder)
    moved = _border_moved(levels, ladder[-1], left if seed.size_step > 0 else -left, seed)
    count = int(np.count_nonzero(moved))
    ended = count == moved.size if seed.size_step > 0 else count <= len(seed.voxels)
    return Resized(moved, ended or abs(seed.size_step) == MAX_SIZE_STEP)


def _beyond(mask: BoolArray, last: BoolArray, direction: int) -> bool:
    """Whether a mask is clearly larger (``direction`` > 0) or smaller than another."""
    size, before = int(np.count_nonzero(mask)), int(np.count_nonzero(last))
    return size > CHANGE * before if direction > 0 else CHANGE * size < before


def _border_moved(levels: Levels, mask: BoolArray, steps: int, seed: Seed) -> BoolArray:
    """A mask ``(z, y, x)`` whose border is moved until its volume is `STEP` ** steps as large."""
    box = bounding_box(mask)
    wanted = STEP**steps * np.count_nonzero(mask)
    low, high = (np.array([getattr(s, n) for s in box]) for n in ("start", "stop"))
    margin = np.ceil((high - low) * (STEP ** (max(steps, 0) / 3) - 1)).astype(int) + 2
    z, y, x = (
        slice(max(int(a - m), 0), min(int(b + m), n))
        for a, b, m, n in zip(low, high, margin, mask.shape, strict=True)
    )
    part = mask[z, y, x]
    if part.all():
        return mask
    signed = depth_mm(~part, levels.spacing) - depth_mm(part, levels.spacing)
    count = int(np.clip(wanted, 1, part.size))
    moved = signed <= np.partition(signed.ravel(), count - 1)[count - 1]
    at = seed.voxels - np.array([z.start, y.start, x.start], np.int64)
    moved[tuple(at.T)] = True
    result = np.zeros_like(mask)
    result[z, y, x] = components_of(moved, at)
    return result


def resized_change(
    levels: Levels, before: BoolArray, after: BoolArray, seed: Seed, earlier: list[Seed]
) -> Resized:
    """The mask after a correction whose extent is ``seed.size_step`` steps from its own.

    Parameters
    ----------
    before, after
        ``(z, y, x)`` bool of the image: the mask without the seed, and with it at step 0.
    earlier
        The seeds before it.
    """
    masks = list(changes(levels, before, seed, earlier))
    masks.sort(key=lambda mask: int(np.count_nonzero(mask != before)))
    ladder = [after]
    for mask in masks if seed.size_step > 0 else reversed(masks):
        if _beyond(mask != before, ladder[-1] != before, seed.size_step):
            ladder.append(mask)
    step = min(abs(seed.size_step), len(ladder) - 1)
    return Resized(ladder[step], step == len(ladder) - 1)
