"""What the table, the points and the summary show of a review of lesions."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from napari_medvlm.layers.pairing.proposed_points import ProposedPoint
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.review import Decision, LesionReview

PROPOSED, MAYBE_GONE, PENDING, GONE = "proposed", "gone?", "…", "gone"
STATES = {Decision.PROPOSED: PROPOSED, Decision.ACCEPTED: PENDING, Decision.GONE: GONE}


def lesion_states(review: LesionReview, tracking_uids: AbstractSet[str]) -> dict[int, str]:
    """The state of each lesion by its label value.

    Parameters
    ----------
    tracking_uids
        Of the objects in the current study.
    """
    states = {value: STATES[review.decision(value, tracking_uids)] for value in review.values}
    return {
        value: MAYBE_GONE if state == PROPOSED and review.proposal(value).is_gone else state
        for value, state in states.items()
    }


def proposed_points(
    review: LesionReview, tracking_uids: AbstractSet[str]
) -> dict[int, ProposedPoint]:
    """The points in the current image that are not decided yet, by label value."""
    points = {}
    for value, state in lesion_states(review, tracking_uids).items():
        proposal = review.proposal(value)
        if state not in (PROPOSED, MAYBE_GONE) or proposal.is_outside:
            continue
        suffix = f" ({MAYBE_GONE})" if proposal.is_gone else ""
        points[value] = ProposedPoint(proposal.lesion.name + suffix, proposal.point_mm)
    return points


def summary_text(result: FollowUp) -> str:
    """The sums of diameters, the category of their change, and the notes."""
    before, now = result.sum_mm
    after = "not measured" if now is None else f"{now:.1f} mm"
    line = f"Sum of diameters {before:.1f} mm → {after}: {result.category} (RECIST 1.1)"
    return "\n".join([line, *result.notes])
