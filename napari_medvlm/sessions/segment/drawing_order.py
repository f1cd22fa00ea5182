"""Which masks a box of the label map has, and in which order they are drawn."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice, slice]
Rank = tuple[bool, int]
"""Whether an object is locked, and the number by which others draw over it or not."""
_GROWTH = 64


class DrawingOrder:
    """The ids of objects by rank; those of higher rank are drawn over the others."""

    def __init__(self) -> None:
        self._ranks: dict[int, Rank] = {}
        self._sorted: list[tuple[Rank, int]] = []
        self.largest_id = 0

    def topmost(self, object_ids: Collection[int]) -> list[int]:
        """Those of some objects that are here, the topmost first."""
        here = filter(self._ranks.__contains__, object_ids)
        return sorted(here, key=lambda i: (self._ranks[i], i), reverse=True)

    def put(self, object_id: int, rank: Rank) -> bool:
        """Set the rank of an object; whether it was there and stands elsewhere now."""
        before = self._ranks.get(object_id)
        if before == rank:
            return False
        at = -1 if before is None else self._remove(object_id)
        self._ranks[object_id] = rank
        self.largest_id = max(self.largest_id, object_id)
        entry = (rank, object_id)
        now = bisect_left(self._sorted, entry)
        self._sorted.insert(now, entry)
        return before is not None and now != at

    def discard(self, object_id: int) -> None:
        """Remove an object, if it is there."""
        if object_id in self._ranks:
            self._remove(object_id)

    def _remove(self, object_id: int) -> int:
        at = bisect_left(self._sorted, (self._ranks.pop(object_id), object_id))
        del self._sorted[at]
        return at


class MaskBoxes:
    """The boxes of the masks of objects, searched all at once."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._low: NDArray[np.int32] = np.zeros((3, 0), np.int32)
        self._high: NDArray[np.int32] = np.zeros((3, 0), np.int32)
        self._free: list[int] = []

    def put(self, object_id: int, box: Box) -> None:
        """Set the box ``(z, y, x)`` of an object's mask."""
        row = self._rows.get(object_id)
        if row is None:
            row = self._rows[object_id] = self._new_row()
        self._ids[row] = object_id
        self._low[:, row] = [part.start for part in box]
        self._high[:, row] = [part.stop for part in box]

    def discard(self, object_id: int) -> None:
        """Remove an object, if it is there."""
        row = self._rows.pop(object_id, None)
        if row is not None:
            self._low[:, row] = self._high[:, row] = 0
            self._free.append(row)

    def overlapping(self, box: Box) -> set[int]:
        """The objects whose boxes share a voxel with a box."""
        inside = np.ones(len(self._ids), bool)
        for low, high, part in zip(self._low, self._high, box, strict=True):
            inside &= np.maximum(low, part.start) < np.minimum(high, part.stop)
        return set(self._ids[inside].tolist())

    def _new_row(self) -> int:
        if not self._free:
            before = len(self._ids)
            more = max(_GROWTH, before)
            self._ids = np.pad(self._ids, (0, more))
            self._low = np.pad(self._low, ((0, 0), (0, more)))
            self._high = np.pad(self._high, ((0, 0), (0, more)))
            self._free = list(range(before + more - 1, before - 1, -1))
        return self._free.pop()
