"""The predictions that led to the mask of an object, as numbers of prompts."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from napari_medvlm.ledger.append_map import AppendMap
from napari_medvlm.ledger.state import LiveObject
from napari_medvlm.ledger.step_counts import StepCounts


@dataclass(frozen=True)
class _Seen:
    """The predictions among the first entries of an object.

    Attributes
    ----------
    appended
        `LiveObject.appended` of the object; all its entries but the last were looked at.
    last
        Serial of the last entry that was looked at.
    counts
        The number of prompts at each of these entries that has a prediction.
    """

    appended: AppendMap[int]
    last: int
    counts: StepCounts


class Steps:
    """How many prompts there were at each prediction of an object; looks at new entries only."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def predicted(self, object_id: int, serial: int) -> None:
        """Take note that a prediction for an object as it was at an entry was recorded."""
        seen = self._seen.get(object_id)
        if seen is not None and serial <= seen.last:
            del self._seen[object_id]

    def of(self, live: LiveObject, predicted: Container[int]) -> StepCounts:
        """How many prompts there were at each prediction that led to the object's next mask.

        Parameters
        ----------
        predicted
            The serials of the entries of the object that have a prediction.
        """
        seen = self._seen.get(live.info.id)
        if seen is None or not live.appended.extends(seen.appended):
            seen = _Seen(AppendMap(), 0, StepCounts())
        counts, last = seen.counts, seen.last
        rest = list(live.appended.items_from(max(len(seen.appended) - 1, 0)))
        for serial, count in rest[:-1]:  # the last one counts in any case
            if serial in predicted:
                counts = counts.appended(count)
            last = serial
        self._seen[live.info.id] = _Seen(live.appended, last, counts)
        return counts.appended(live.count)
