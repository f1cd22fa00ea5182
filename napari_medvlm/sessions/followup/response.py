"""The response of lesions between two studies by RECIST 1.1, and doubling times.

Eisenhauer et al., New response evaluation criteria in solid tumours: revised RECIST guideline
(version 1.1), European Journal of Cancer 45 (2009) 228-247.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from napari_medvlm.sessions.followup.overlap import LesionState

TARGETS = 5
"""Largest number of target lesions."""
MEASURABLE_MM = 10.0
"""Longest diameter of a measurable lesion."""
MEASURABLE_NODE_MM = 15.0
"""Short axis of a measurable lymph node."""
NORMAL_NODE_MM = 10.0
"""Short axis below which a lymph node is normal."""
PARTIAL_RESPONSE = -0.3
"""Change of the sum of diameters of a partial response."""
PROGRESSION = 0.2
"""Change of the sum of diameters of a progression."""
PROGRESSION_MM = 5.0
"""Least absolute increase of the sum of diameters of a progression."""


class Response(StrEnum):
    """Category of response; `NOT_EVALUABLE` without a measured current study."""

    COMPLETE = "CR"
    PARTIAL = "PR"
    STABLE = "SD"
    PROGRESSIVE = "PD"
    NOT_EVALUABLE = "NE"


@dataclass(frozen=True)
class TargetDiameter:
    """The diameter in millimetres that counts of a group of lesions, in the prior and now.

    Parameters
    ----------
    prior_mm, current_mm
        Longest diameter, of a lymph node the short axis; `current_mm` is `None` if it is not known.
    is_node
        Whether it is a lymph node.
    state
        What became of it; `None` if it is not known.
    """

    prior_mm: float
    current_mm: float | None
    is_node: bool
    state: LesionState | None

    @property
    def is_measurable(self) -> bool:
        """Whether the lesion was large enough in the prior for a target."""
        return self.prior_mm >= (MEASURABLE_NODE_MM if self.is_node else MEASURABLE_MM)

    @property
    def is_complete(self) -> bool:
        """Whether the lesion has vanished, or the lymph node is normal."""
        if self.current_mm is None:
            return False
        return self.current_mm < NORMAL_NODE_MM if self.is_node else self.current_mm == 0


def targets_of(lesions: Sequence[TargetDiameter]) -> tuple[int, ...]:
    """Numbers of the up to five largest measurable lesions; of all if none is measurable."""
    old = [n for n, lesion in enumerate(lesions) if lesion.state is not LesionState.NEW]
    measurable = [n for n in old if lesions[n].is_measurable] or old
    return tuple(sorted(sorted(measurable, key=lambda n: -lesions[n].prior_mm)[:TARGETS]))


def category_of(targets: Sequence[TargetDiameter], has_new: bool) -> Response:
    """The category of target lesions; the prior is both baseline and nadir.

    Parameters
    ----------
    has_new
        Whether there is a lesion that the prior has not.
    """
    if has_new:
        return Response.PROGRESSIVE
    now = [target.current_mm for target in targets if target.current_mm is not None]
    if not targets or len(now) < len(targets):
        return Response.NOT_EVALUABLE
    if all(target.is_complete for target in targets):
        return Response.COMPLETE
    before = sum(target.prior_mm for target in targets)
    difference = sum(now) - before
    if difference >= PROGRESSION * before and difference >= PROGRESSION_MM:
        return Response.PROGRESSIVE
    return Response.PARTIAL if difference <= PARTIAL_RESPONSE * before else Response.STABLE


def doubling_days(prior_ml: float, current_ml: float, dates: tuple[date, date]) -> float | None:
    """Days in which a volume that grew exponentially doubled; `None` if it has not grown."""
    days = (dates[1] - dates[0]).days
    if days <= 0 or prior_ml <= 0 or current_ml <= prior_ml:
        return None
    return days * math.log(2) / math.log(current_ml / prior_ml)
