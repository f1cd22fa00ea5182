"""Masks of proposed points by a backend, guided by the lesions of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.sessions.followup.backtest import judged, planted_mask, planted_volume
from napari_medvlm.sessions.followup.comparison import Proposal
from napari_medvlm.sessions.followup.followed import Reliability
from napari_medvlm.sessions.followup.guided_mask import guided_mask
from napari_medvlm.sessions.followup.lesions import Lesion, components, mapped_mask
from napari_medvlm.sessions.followup.matching import Studies, match, registration_error
from napari_medvlm.sessions.followup.overlap import change_percent, common_voxels
from napari_medvlm.sessions.followup.prompt_forms import PromptForm, prompt_of, supported_forms
from napari_medvlm.sessions.followup.proposals import union
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.runner import Runner

ORIGIN = "follow-up"
PIECE = 0.1
"""Part of the largest piece of a mask that another piece has at least."""
EMPTY = "The backend segmented nothing at the proposed point."


@dataclass(frozen=True, eq=False)
class Segmenter:
    """The backend that segments, and the worker that runs it."""

    choice: ModelChoice
    runner: Runner

    @property
    def forms(self) -> tuple[PromptForm, ...]:
        """The forms of prompts that the backend supports."""
        return supported_forms(registry.info(self.choice.backend).prompts)

    def masks(self, volume: Volume, prompts: Sequence[Prompt]) -> list[Mask]:
        """The mask of each prompt as an object of its own, which may overlap others."""
        choice = self.choice
        with SegmentationSession(
            volume, choice.backend, self.runner, model=choice.model, device=choice.device
        ) as session:
            session.set_overlap(Overlap.BOTH)
            ids = []
            for prompt in prompts:
                ids.append(session.take(ORIGIN, prompt, ORIGIN))
                session.wait()
            return [session.own_mask(object_id) for object_id in ids]


def segmented_lesions(
    studies: Studies,
    proposals: Sequence[Proposal],
    choice: ModelChoice,
    runner: Runner,
    *,
    backtest: bool,
    progress: Progress,
) -> tuple[tuple[Proposal, ...], tuple[Lesion, ...]]:
    """Segment the points of lesions that are not gone.

    With `backtest`, a change is planted at each lesion, every form of prompts that the backend
    supports is tried on it, and the form that measures it best segments the current study.

    Returns
    -------
    The proposals with their reliability, and the lesions of the current study: the pieces of all
    masks, of which those that touch are one lesion.
    """
    segmenter = Segmenter(choice, runner)
    others = union([p.matched for p in proposals], studies.current.shape)
    done, masks = [], []
    for n, proposal in enumerate(proposals):
        progress(n / len(proposals), f"Segmenting {proposal.lesion.name}")
        if proposal.is_outside:
            done.append(proposal)
            continue
        was_gone = proposal.is_gone
        proposal, prompt = guided_prompt(
            studies, proposal, others, segmenter, backtest=backtest, is_wanted=not was_gone
        )
        mask = None if prompt is None else segmenter.masks(studies.current, [prompt])[0]
        if mask is not None and mask.voxels:
            masks.append(mask)
        elif not was_gone:
            proposal = replace(proposal, is_unsegmented=True, notes=(*proposal.notes, EMPTY))
        done.append(proposal)
    grid = studies.current.grid
    pieces = joined([piece for mask in masks for piece in large_pieces(mask)])
    lesions = tuple(Lesion(f"piece {n}", n, piece, grid) for n, piece in enumerate(pieces, 1))
    return tuple(done), lesions


def guided_prompt(
    studies: Studies,
    proposal: Proposal,
    others: NDArray[np.bool_],
    segmenter: Segmenter,
    *,
    backtest: bool,
    is_wanted: bool = True,
) -> tuple[Proposal, Prompt | None]:
    """The prompt that segments a lesion at its point, and the proposal with its reliability.

    Parameters
    ----------
    others
        ``(z, y, x)`` bool: all lesions of the prior at their matched positions.
    backtest
        Whether a change is planted, and the form of prompts that measures it best is chosen.
    is_wanted
        Whether a prompt is needed, or the reliability only.
    """
    form, reliability = segmenter.forms[0], None
    if backtest:
        form, reliability = _best_form(studies, proposal, segmenter)
    proposal = replace(proposal, reliability=reliability).without_doubtful_state()
    if not is_wanted:
        return proposal, None
    guided = guided_mask(
        studies, proposal.lesion, proposal.matched, proposal.match.offset_mm, others
    )
    grid = studies.current.grid
    forms = [form, *(other for other in segmenter.forms if other is not form)]
    prompts = (prompt_of(f, proposal.matched, guided, grid) for f in forms)
    return proposal, next((p for p in prompts if p is not None), None)


def _best_form(
    studies: Studies, proposal: Proposal, segmenter: Segmenter
) -> tuple[PromptForm, Reliability]:
    """The form that measures a planted change best, and what it measures."""
    lesion = proposal.lesion
    error = registration_error(studies, lesion)
    planted = Studies(planted_volume(studies, proposal, error), studies.prior, studies.pairing)
    grid = planted.current.grid
    truth = planted_mask(studies, lesion, grid, error.offset_mm)
    planted_match = match(planted, lesion)
    mapped = mapped_mask(lesion, planted.pairing, grid, planted_match.offset_mm)
    if not mapped.voxels or not truth.voxels:
        return segmenter.forms[0], judged(None, error)
    nothing = np.zeros(grid.shape, bool)
    guided = guided_mask(planted, lesion, mapped, planted_match.offset_mm, nothing, is_planted=True)
    scores: list[tuple[float, PromptForm, float | None]] = []
    for form in segmenter.forms:
        prompt = prompt_of(form, mapped, guided, grid)
        if prompt is not None:
            mask = _tried(segmenter, planted.current, prompt)
            scores.append((_error(mask, truth), form, _change(mask, truth, lesion, grid)))
    if not scores:
        return segmenter.forms[0], judged(None, error)
    _, form, measured = min(scores, key=lambda score: score[0])
    return form, judged(measured, error, str(form))


def _tried(segmenter: Segmenter, volume: Volume, prompt: Prompt) -> Mask:
    try:
        return segmenter.masks(volume, [prompt])[0]
    except Cancelled:
        raise
    except MedVLMError:  # the form does not work here, another one may
        return Mask.empty(volume.shape)


def _error(mask: Mask, truth: Mask) -> float:
    """Error of the volume plus what two masks do not share; 0 if they are equal."""
    dice = 2 * common_voxels(mask, truth) / (mask.voxels + truth.voxels)
    return abs(mask.voxels / truth.voxels - 1) + 1 - dice


def _change(mask: Mask, truth: Mask, lesion: Lesion, grid: Grid) -> float | None:
    """Change of volume against the prior's lesion; `None` if the mask is elsewhere."""
    if not common_voxels(mask, truth):
        return None
    return change_percent(lesion.volume_ml, Lesion("", 0, mask, grid).volume_ml)


def large_pieces(mask: Mask) -> list[Mask]:
    """The pieces of a mask without those that are small compared with the largest."""
    pieces = sorted(components(mask), key=lambda piece: -piece.voxels)
    return [piece for piece in pieces if piece.voxels >= PIECE * pieces[0].voxels]


def joined(masks: Sequence[Mask]) -> list[Mask]:
    """Masks, of which those that share a face are one."""
    result: list[Mask] = []
    for mask in masks:
        touching = [other for other in result if touches(mask, other)]
        result = [other for other in result if not touches(mask, other)]
        for other in touching:
            mask = mask.union(other)
        result.append(mask)
    return result


def touches(a: Mask, b: Mask) -> bool:
    """Whether two masks on one grid overlap or share a face."""
    from scipy import ndimage

    grown = ndimage.binary_dilation(np.pad(a.crop, 1))
    z, y, x = (v - 1 for v in a.start)
    return common_voxels(Mask(grown, (z, y, x), a.shape), b) > 0
