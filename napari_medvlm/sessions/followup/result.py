"""The rows of followed lesions with their sums, category, masks and notes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_medvlm.sessions.followup.comparison import Proposal, RowOptions, with_targets
from napari_medvlm.sessions.followup.followed import FollowedLesion, FollowUp
from napari_medvlm.sessions.followup.lesions import Lesion
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.overlap import LesionState
from napari_medvlm.sessions.followup.relabel import relabelled
from napari_medvlm.sessions.followup.response import category_of

UNRELIABLE_PART = 0.5
"""Part of the lesions with another position from which the registration is doubted."""


def follow_up_of(
    studies: Studies,
    proposals: Sequence[Proposal],
    rows: Sequence[FollowedLesion],
    new: Sequence[Lesion],
    options: RowOptions,
    notes: tuple[str, ...] = (),
) -> FollowUp:
    """What became of the lesions; the masks of the current study only if all are measured.

    Parameters
    ----------
    rows
        See `comparison.compared` and `comparison.proposed_row`.
    new
        The lesions of the current study, whose values are those in `rows`.
    notes
        On the pair as such, a sentence each; those of the registration are added.
    """
    marked, targets = with_targets(rows)
    now = [target.current_mm for target in targets if target.current_mm is not None]
    sums = (
        sum(target.prior_mm for target in targets),
        sum(now) if len(now) == len(targets) else None,
    )
    has_new = any(row.state is LesionState.NEW for row in rows)
    masks = None
    if all(row.is_measured for row in rows):
        uids = {p.lesion.value: p.lesion.tracking_uid for p in proposals}
        marked, masks = relabelled(marked, new, studies.current.grid, uids)
    return FollowUp(
        marked,
        sums,
        category_of(targets, has_new),
        studies.pairing,
        masks,
        options.dates,
        (*_pair_notes(studies, proposals), *notes),
    )


def _pair_notes(studies: Studies, proposals: Sequence[Proposal]) -> tuple[str, ...]:
    """What speaks against the pair as such, a sentence each."""
    notes = list(studies.pairing.notes)
    modalities = [str(v.modality) for v in (studies.prior, studies.current) if v.modality]
    if len(set(modalities)) > 1:
        notes.append(
            f"The prior is {modalities[0]}, the current study {modalities[1]}: "
            "matches and contrast are not reliable."
        )
    tested = [p.reliability for p in proposals if p.reliability is not None]
    off = [r for r in tested if not r.is_registered]
    if off and len(off) >= UNRELIABLE_PART * len(tested):
        notes.append(
            f"The registration does not fit at {len(off)} of {len(tested)} lesions: no change is "
            "reliable before it is corrected."
        )
    return tuple(notes)
