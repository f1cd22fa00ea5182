"""Proposed points of a prior's lesions under review, and the objects that accepted ones became."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid, require_same_grid
from napari_medvlm.data.label_image import NamedLabels, flattened
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.sessions.followup.comparison import (
    Proposal,
    RowOptions,
    compared,
    proposed_row,
)
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.lesions import Lesion, lesions_of, mapped_mask
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.overlap import Edge, common_voxels
from napari_medvlm.sessions.followup.proposals import proposals_of, union
from napari_medvlm.sessions.followup.result import follow_up_of
from napari_medvlm.sessions.followup.segmenting import (
    ORIGIN,
    Segmenter,
    guided_prompt,
    joined,
    large_pieces,
)
from napari_medvlm.sessions.segment.edits import NewObject

LOOKS_GONE = "Nothing like it is at its point."
REPEATED = 0.5
"""Part of the smaller of two masks from which an object repeats a lesion."""


class Decision(StrEnum):
    """The user's decision on a proposed point; `PROPOSED`: nothing yet."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    GONE = "gone"


@dataclass(frozen=True, eq=False)
class CurrentObject:
    """An object of the current study's segmentation session.

    Parameters
    ----------
    name, mask
        Its name and its own mask, whatever others cover of it.
    tracking_uid
        That of the lesion of the prior if it is an accepted one.
    """

    name: str
    mask: Mask
    tracking_uid: str


class LesionReview:
    """The proposed points of the lesions of a prior study, decided by a person.

    Which points are accepted follows from the objects of the current study: an accepted one is an
    object with the tracking UID of its lesion, so that undo and redo of the session hold here too.

    Parameters
    ----------
    studies
        The two studies and the pairing.
    labels
        The lesions of the prior, each with a tracking UID, see `review_of`.
    proposals
        A point for each of them.
    """

    def __init__(
        self, studies: Studies, labels: NamedLabels, proposals: Sequence[Proposal]
    ) -> None:
        self.studies = studies
        self.labels = labels
        self._proposals = {p.lesion.value: p for p in proposals}
        self._gone: set[int] = set()

    @property
    def values(self) -> tuple[int, ...]:
        """The values of the lesions in the prior's labels, in order."""
        return tuple(self._proposals)

    def proposal(self, value: int) -> Proposal:
        """The proposed point of a lesion."""
        return self._proposals[value]

    def decision(self, value: int, tracking_uids: Collection[str]) -> Decision:
        """What was decided on a lesion.

        Parameters
        ----------
        tracking_uids
            Of the objects of the current study.
        """
        if self._proposals[value].lesion.tracking_uid in tracking_uids:
            return Decision.ACCEPTED
        return Decision.GONE if value in self._gone else Decision.PROPOSED

    def move(self, value: int, spl_mm: Sequence[float]) -> None:
        """Put the proposed point of a lesion elsewhere, which is then not gone.

        Parameters
        ----------
        spl_mm
            ``(S, P, L)`` in millimetres of the current study.

        Raises
        ------
        InvalidPrompt
            If it lies outside the current study.
        """
        studies, proposal = self.studies, self._proposals[value]
        grid, point = studies.current.grid, np.asarray(spl_mm, np.float64)
        if not grid.contains(grid.to_index(point)):
            raise InvalidPrompt(
                f"The point of {proposal.lesion.name} is outside the current image.",
                "Drag it into the image, or mark the lesion as gone.",
            )
        match = replace(proposal.match, offset_mm=point - proposal.match.mapped_mm)
        matched = mapped_mask(proposal.lesion, studies.pairing, grid, match.offset_mm)
        self._gone.discard(value)
        self._proposals[value] = Proposal(proposal.lesion, match, proposal.mapped, matched)

    def set_gone(self, value: int, is_gone: bool) -> None:
        """Decide that a lesion is gone, or take that back."""
        (self._gone.add if is_gone else self._gone.discard)(value)
        proposal = self._proposals[value]
        self._proposals[value] = replace(proposal, is_gone=is_gone)

    def new_objects(
        self, values: Sequence[int], segmenter: Segmenter, *, backtest: bool, progress: Progress
    ) -> tuple[NewObject, ...]:
        """What is added to the current study's session when points are accepted.

        Parameters
        ----------
        backtest
            Whether a known change is planted at each lesion first, see `Proposal.reliability`.

        Raises
        ------
        InvalidPrompt
            If no prompt of a lesion can be made that the backend supports.
        """
        others = union([p.matched for p in self._proposals.values()], self.studies.current.shape)
        objects = []
        for n, value in enumerate(values):
            lesion = self._proposals[value].lesion
            progress(n / len(values), f"Segmenting {lesion.name}")
            tested, prompt = guided_prompt(
                self.studies, self._proposals[value], others, segmenter, backtest=backtest
            )
            self._proposals[value] = tested
            objects.append(_new_object(lesion, prompt, self.studies.prior.name))
        return tuple(objects)

    def follow_up(
        self, objects: Sequence[CurrentObject], options: RowOptions, *, others_are_new: bool
    ) -> FollowUp:
        """The table of both studies as they are now.

        Parameters
        ----------
        objects
            Of the current study.
        others_are_new
            Whether objects that are no lesion of the prior are new lesions.
        """
        uids = {p.lesion.tracking_uid for p in self._proposals.values()}
        accepted = [o for o in objects if o.tracking_uid in uids and o.mask.voxels]
        others = [o for o in objects if o.tracking_uid not in uids and o.mask.voxels]
        grid = self.studies.current.grid
        lesions = _lesions(accepted, others if others_are_new else (), grid)
        segmented = {o.tracking_uid for o in accepted}
        present = {o.tracking_uid for o in objects}
        gone = {v for v in self.values if self.decision(v, present) is Decision.GONE}
        asked = [_asked(p, segmented) for v, p in self._proposals.items() if v not in gone]
        rows = compared(asked, lesions, grid, options, _links(asked, accepted, lesions))
        by_value = {row.value: row for row in rows if row.value}
        by_value |= {v: proposed_row(self._proposals[v], options) for v in gone}
        new = [row for row in rows if not row.value]
        ordered = [by_value[value] for value in self._proposals]
        proposals = tuple(self._proposals.values())
        return follow_up_of(self.studies, proposals, [*ordered, *new], lesions, options)


def review_of(studies: Studies, labels: NamedLabels, progress: Progress) -> LesionReview:
    """The review of the lesions of a prior study, whose points are computed.

    Lesions without a tracking UID get one that follows from the prior image and their name, so that
    a later review of the same lesions knows which are accepted.

    Raises
    ------
    GeometryMismatch
        If the labels do not lie on the prior's grid.
    InvalidPrompt
        If there is no lesion.
    """
    require_same_grid(labels.grid, studies.prior.grid, f"The masks {labels.title}")
    tracked = with_tracking_uids(labels, studies.prior.digest)
    return LesionReview(studies, tracked, proposals_of(studies, lesions_of(tracked), progress))


def with_tracking_uids(labels: NamedLabels, image_digest: str) -> NamedLabels:
    """The labels with a value and a tracking UID for each lesion, see `lesions_of`.

    Parameters
    ----------
    image_digest
        Of the image on which the labels lie.
    """
    lesions = lesions_of(labels)
    uids = {lesion.value: lesion.tracking_uid or _uid(image_digest, lesion) for lesion in lesions}
    if len(lesions) == len(labels.present):
        return replace(labels, tracking_uids={**labels.tracking_uids, **uids})
    masks = {lesion.value: lesion.mask for lesion in lesions}
    sizes = {value: mask.voxels for value, mask in masks.items()}
    values, covered = flattened(sizes, masks.__getitem__, labels.grid.shape)
    names = {lesion.value: lesion.name for lesion in lesions}
    return NamedLabels(
        values, labels.grid, names, labels.title, tracking_uids=uids, covered=covered
    )


def _uid(image_digest: str, lesion: Lesion) -> str:
    what = f"{image_digest} {lesion.value} {lesion.name}"
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, what).int}"


def _new_object(lesion: Lesion, prompt: Prompt | None, prior_name: str) -> NewObject:
    if prompt is None:
        raise InvalidPrompt(
            f"The backend has no prompt for {lesion.name}.",
            "Choose another backend in the Segment dock.",
        )
    return NewObject(prompt, lesion.name, f"{ORIGIN} of {prior_name}", lesion.tracking_uid)


def _asked(proposal: Proposal, segmented: Collection[str]) -> Proposal:
    """A proposal for the table: without an object, it is not measured and not called gone."""
    if proposal.lesion.tracking_uid in segmented:
        return replace(proposal, is_gone=False)
    notes = (*proposal.notes, LOOKS_GONE) if proposal.is_gone else proposal.notes
    return replace(proposal, is_gone=False, is_unsegmented=True, notes=notes)


def _lesions(
    accepted: Sequence[CurrentObject], others: Sequence[CurrentObject], grid: Grid
) -> tuple[Lesion, ...]:
    """The lesions of the current study: pieces of accepted objects, and others as they are.

    Pieces that touch are one lesion. Of the others, those that repeat an accepted object are left
    out.
    """
    pieces = joined([piece for o in accepted for piece in large_pieces(o.mask)])
    named = [(_names(piece, accepted), piece) for piece in pieces]
    named += [(o.name, o.mask) for o in others if not _repeats(o.mask, pieces)]
    return tuple(Lesion(name, n, mask, grid) for n, (name, mask) in enumerate(named, 1))


def _names(piece: Mask, objects: Sequence[CurrentObject]) -> str:
    return " + ".join(o.name for o in objects if common_voxels(o.mask, piece))


def _repeats(mask: Mask, pieces: Sequence[Mask]) -> bool:
    return any(
        common_voxels(mask, piece) > REPEATED * min(mask.voxels, piece.voxels) for piece in pieces
    )


def _links(
    proposals: Sequence[Proposal], accepted: Sequence[CurrentObject], lesions: Sequence[Lesion]
) -> list[Edge]:
    """From each accepted proposal to the lesions that its object became, wherever they lie."""
    masks = {o.tracking_uid: o.mask for o in accepted}
    return [
        Edge(i, j, common)
        for i, proposal in enumerate(proposals)
        for j, lesion in enumerate(lesions)
        if proposal.lesion.tracking_uid in masks
        and (common := common_voxels(masks[proposal.lesion.tracking_uid], lesion.mask))
    ]
