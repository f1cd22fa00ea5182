"""Rows of two sets of masks: the overlap graph, measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import diameters
from napari_medvlm.sessions.followup.followed import Extent, FollowedLesion, Reliability
from napari_medvlm.sessions.followup.lesions import Lesion
from napari_medvlm.sessions.followup.matching import Match
from napari_medvlm.sessions.followup.overlap import (
    Edge,
    Group,
    LesionState,
    change_percent,
    common_voxels,
    edges_of,
    groups_of,
)
from napari_medvlm.sessions.followup.response import (
    TargetDiameter,
    doubling_days,
    targets_of,
)

NOT_REGISTERED = "Unclear whether it is gone: the registration does not fit there."


@dataclass(frozen=True, eq=False)
class Proposal:
    """The point of a lesion in the current study.

    Parameters
    ----------
    lesion
        Of the prior.
    match
        Its mapped centre and the best local match.
    mapped
        Its mask on the current study's grid through the pairing.
    matched
        The same, moved to the match.
    is_gone
        Whether nothing like the lesion is at its point.
    is_outside
        Whether the point lies outside the current study.
    is_unsegmented
        Whether the backend segmented nothing there.
    reliability
        How well a planted change is measured there.
    notes
        A sentence each.
    """

    lesion: Lesion
    match: Match
    mapped: Mask
    matched: Mask
    is_gone: bool = False
    is_outside: bool = False
    is_unsegmented: bool = False
    reliability: Reliability | None = None
    notes: tuple[str, ...] = ()

    @property
    def point_mm(self) -> tuple[float, float, float]:
        """``(S, P, L)`` in millimetres of the current study."""
        s, p, left = self.match.point_mm.tolist()
        return s, p, left

    def without_doubtful_state(self) -> Proposal:
        """The same, not called gone where the registration does not fit."""
        tested = self.reliability
        if not self.is_gone or tested is None or tested.is_registered:
            return self
        return replace(
            self, is_gone=False, is_unsegmented=True, notes=(*self.notes, NOT_REGISTERED)
        )

    def mask_near(self, masks: Sequence[Mask]) -> Mask:
        """The mapped mask if it overlaps any of some masks, else the matched one."""
        overlaps = any(common_voxels(self.mapped, mask) for mask in masks)
        return self.mapped if overlaps else self.matched


@dataclass(frozen=True)
class RowOptions:
    """What the rows need besides the masks: names of lymph nodes, and the dates of the studies."""

    nodes: Collection[str] = ()
    dates: tuple[date, date] | None = None


def compared(
    proposals: Sequence[Proposal],
    lesions: Sequence[Lesion],
    grid: Grid,
    options: RowOptions,
    links: Sequence[Edge] = (),
) -> tuple[FollowedLesion, ...]:
    """Rows of the lesions of the prior and those of the current study.

    Parameters
    ----------
    links
        Of the graph, known without an overlap: by the index of a proposal and of a lesion.
    """
    masks = [lesion.mask for lesion in lesions]
    edges = edges_of([p.mask_near(masks) for p in proposals], masks, grid)
    groups = groups_of((*edges, *links), len(proposals), len(lesions))
    rows: dict[int, FollowedLesion] = {}
    new = []
    for group in groups:
        before = [proposals[i] for i in group.prior]
        after = [lesions[j] for j in group.current]
        if before:
            for i in group.prior:
                rows[i] = _row(proposals[i], before, after, group, options)
        else:
            new += [_new_row(lesion, options) for lesion in after]
    return (*(rows[i] for i in sorted(rows)), *new)


def _row(
    proposal: Proposal, before: Sequence[Proposal], after: Sequence[Lesion], group: Group,
    options: RowOptions,
) -> FollowedLesion:  # fmt: skip
    row = proposed_row(proposal, options)
    if (proposal.is_outside or proposal.is_unsegmented) and not after:
        return row
    prior_ml = sum(p.lesion.volume_ml for p in before)
    current = extent_of(after)
    state = group.state(prior_ml, current.volume_ml)
    dates = options.dates
    names = tuple(p.lesion.name for p in before) if len(before) > 1 else ()
    return replace(
        row,
        state=state,
        current=current,
        change_percent=change_percent(prior_ml, current.volume_ml),
        doubling_days=dates and doubling_days(prior_ml, current.volume_ml, dates),
        is_measured=True,
        current_values=tuple(lesion.value for lesion in after),
        group=names,
        notes=(*row.notes, *_group_notes(names, len(after))),
    )


def _group_notes(names: Sequence[str], pieces: int) -> tuple[str, ...]:
    if not names:
        return ()
    joined = ", ".join(names)
    what = "one lesion" if pieces == 1 else f"{pieces} lesions"
    return (f"{joined} are {what} now; the change is that of all of them together.",)


def proposed_row(proposal: Proposal, options: RowOptions) -> FollowedLesion:
    """The row of a lesion with a proposed point only."""
    lesion = proposal.lesion
    gone = proposal.is_gone
    return FollowedLesion(
        lesion.name,
        LesionState.GONE if gone else None,
        extent_of([lesion]),
        Extent(None if proposal.is_outside else proposal.point_mm),
        change_percent=-100.0 if gone else None,
        reliability=proposal.reliability,
        is_node=lesion.name in options.nodes,
        is_measured=gone,
        value=lesion.value,
        notes=proposal.notes,
    )


def _new_row(lesion: Lesion, options: RowOptions) -> FollowedLesion:
    return FollowedLesion(
        lesion.name,
        LesionState.NEW,
        Extent(None),
        extent_of([lesion]),
        is_node=lesion.name in options.nodes,
        current_values=(lesion.value,),
    )


def extent_of(lesions: Sequence[Lesion]) -> Extent:
    """Size and position of one lesion or of several pieces; zeros of none."""
    if not lesions:
        return Extent(None)
    across = [diameters(lesion.mask, lesion.grid.affine) for lesion in lesions]
    s, p, left = np.concatenate([lesion.points_mm for lesion in lesions]).mean(axis=0).tolist()
    return Extent(
        (s, p, left),
        sum(lesion.volume_ml for lesion in lesions),
        sum(d.longest_mm for d in across),
        sum(d.perpendicular_mm for d in across),
    )


def with_targets(
    rows: Sequence[FollowedLesion],
) -> tuple[tuple[FollowedLesion, ...], tuple[TargetDiameter, ...]]:
    """Rows with their targets marked, and the diameters of the targets.

    Lesions that merged count once in the current study: with the first of them.
    """
    counted: set[int] = set()
    lengths = []
    for row in rows:
        is_counted = bool(row.current_values) and counted.issuperset(row.current_values)
        counted.update(row.current_values)
        lengths.append(_target(row, is_counted))
    chosen = targets_of(lengths)
    marked = tuple(replace(row, is_target=n in chosen) for n, row in enumerate(rows))
    return marked, tuple(lengths[n] for n in chosen)


def _target(row: FollowedLesion, is_counted: bool) -> TargetDiameter:
    prior, current = (
        extent.perpendicular_mm if row.is_node else extent.longest_mm
        for extent in (row.prior, row.current)
    )
    now = 0.0 if is_counted else current
    return TargetDiameter(prior, now if row.is_measured else None, row.is_node, row.state)
