"""The points of the prior's lesions that are proposed in the current study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.mask import Mask
from napari_medvlm.sessions.followup.comparison import Proposal
from napari_medvlm.sessions.followup.contrast import contrast, intensity_scale, is_gone
from napari_medvlm.sessions.followup.lesions import Lesion, mapped_mask
from napari_medvlm.sessions.followup.matching import Match, Studies, match

OUTSIDE = "Its place lies outside the current study."
HIDDEN = "It has hardly any contrast in the prior: unclear whether it is gone."


def proposals_of(
    studies: Studies, lesions: Sequence[Lesion], progress: Progress
) -> tuple[Proposal, ...]:
    """A point for each lesion of the prior, and whether something like it is there.

    Parameters
    ----------
    progress
        Called with the part that is done; an error that it raises goes through.
    """
    grid = studies.current.grid
    mapped = [mapped_mask(lesion, studies.pairing, grid) for lesion in lesions]
    proposals = []
    for n, lesion in enumerate(lesions):
        progress(n / len(lesions), f"Locating {lesion.name}")
        others = [mask for m, mask in enumerate(mapped) if m != n]
        proposals.append(_proposal(studies, lesion, mapped[n], others))
    return _without_gone(studies, proposals)


def _proposal(studies: Studies, lesion: Lesion, mapped: Mask, others: Sequence[Mask]) -> Proposal:
    grid = studies.current.grid
    center = studies.pairing.to_current(lesion.center_mm)
    if not mapped.voxels or not grid.contains(grid.to_index(center)):
        here = Match(center, np.zeros(3), 0.0)
        return Proposal(lesion, here, mapped, mapped, is_outside=True, notes=(OUTSIDE,))
    matched = match(studies, lesion, others)
    moved = mapped_mask(lesion, studies.pairing, grid, matched.offset_mm)
    return Proposal(lesion, matched, mapped, moved)


def _without_gone(studies: Studies, proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The proposals, marked where the contrast of the prior has vanished."""
    before = union([p.lesion.mask for p in proposals], studies.prior.shape)
    after = union([p.matched for p in proposals], studies.current.shape)
    scale = intensity_scale(studies.prior, studies.current)
    return tuple(_tested(studies, p, before, after, scale) for p in proposals)


def _tested(
    studies: Studies,
    proposal: Proposal,
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    scale: float,
) -> Proposal:
    if proposal.is_outside:
        return proposal
    prior = contrast(studies.prior, proposal.lesion.mask, before)
    if prior is None or not prior.is_visible:
        return replace(proposal, notes=(*proposal.notes, HIDDEN))
    masks = (proposal.mapped, proposal.matched)
    here = [contrast(studies.current, mask, after) for mask in masks]
    gone = all(current is None or is_gone(prior, current, scale) for current in here)
    return replace(proposal, is_gone=gone)


def union(masks: Sequence[Mask], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """``(z, y, x)`` bool: what is inside any of some masks."""
    full = np.zeros(shape, bool)
    for mask in masks:
        full[mask.slices] |= mask.crop
    return full
