"""The label map of the masks of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask, bounding_box
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.ledger.state import LedgerState, LiveObject, changed_ids
from napari_medvlm.sessions.segment.drawing_order import Box, DrawingOrder, MaskBoxes, Rank
from napari_medvlm.sessions.segment.mask_edits import edited
from napari_medvlm.sessions.segment.mask_store import Key

Labels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class _Shown:
    """The mask that is shown of an object.

    Attributes
    ----------
    key
        The object's id and the serial of the entry that last changed it.
    computed
        The last mask that was computed, and the edits by hand that it has.
    prompts
        The prompts that the computed mask follows.
    """

    key: Key
    mask: Mask
    prompts: Mapping[int, Prompt]
    computed: tuple[Mask, frozenset[int]]


class LabelMap:
    """The objects' masks as one array of labels, by the overlap rule.

    An object's mask is replaced only when its new one is there. The labels are bytes, which viewers
    draw fastest, until an id is larger than 255 (then uint16) or 65535 (uint32).

    Parameters
    ----------
    grid
        The grid of the volume.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.labels: Labels = np.zeros(grid.shape, np.uint8)
        self._shown: dict[int, _Shown] = {}
        self._answered: dict[int, LiveObject] = {}  # whose masks follow all their prompts
        self._objects: Mapping[int, LiveObject] = {}
        self._overlap = Overlap.NEWEST
        self._order = DrawingOrder()
        self._boxes = MaskBoxes()
        self._touched: set[int] = set()

    def update(
        self,
        moment: LedgerState,
        known: Callable[[LiveObject], Mask | None],
        answered: AbstractSet[int] = frozenset(),
    ) -> Box | None:
        """Show the objects of a moment with the masks known; the box drawn again, or `None`.

        Parameters
        ----------
        moment
            The objects. Those that are the same as at the last update are passed over.
        known
            The mask of an object, if it is computed.
        answered
            Ids of the objects of which masks were computed since the last update.
        """
        before, self._objects = self._objects, moment.objects
        changed = changed_ids(before, moment.objects)
        redrawn = [self._hide(i) for i in before.keys() - moment.objects.keys()]
        redrawn += [self._shown[i].mask.slices for i in self._moved(moment, changed)]
        for object_id in changed:
            redrawn += self._show(moment.objects[object_id], known)
        for object_id in answered & moment.objects.keys():
            redrawn += self._show(moment.objects[object_id], known)
        box = _around(redrawn)
        if box is not None:
            self._draw(box)
        return box

    def take_touched(self) -> frozenset[int]:
        """Ids of the objects whose voxels may have changed since the last call."""
        touched, self._touched = frozenset(self._touched), set()
        return touched

    def _hide(self, object_id: int) -> Box:
        self._order.discard(object_id)
        self._boxes.discard(object_id)
        self._answered.pop(object_id, None)
        shown = self._shown.pop(object_id, None)
        return (slice(0, 0),) * 3 if shown is None else shown.mask.slices

    def _moved(self, moment: LedgerState, changed: Sequence[int]) -> list[int]:
        """The objects that are shown and drawn over others than before, or under others."""
        if moment.overlap is not self._overlap:
            self._overlap = moment.overlap
            changed = list(moment.objects)
            self._touched |= moment.objects.keys()
        rank = _rank(moment)
        moved = [i for i in changed if self._order.put(i, rank(moment.objects[i]))]
        return [i for i in moved if i in self._shown]

    def belonging(self, object_id: int, overlap: Overlap) -> Mask:
        """What belongs to an object by the overlap rule."""
        shown = self._shown.get(object_id)
        if shown is None:
            return Mask.empty((self.labels.shape[0], self.labels.shape[1], self.labels.shape[2]))
        if overlap is Overlap.BOTH:
            return shown.mask
        own = self.labels[shown.mask.slices] == object_id
        return replace(shown.mask, crop=own)

    def unanswered(self, moment: LedgerState) -> frozenset[int]:
        """Ids of the prompts that the masks shown do not yet follow."""
        waiting = (moment.objects[i] for i in changed_ids(self._answered, moment.objects))
        return frozenset(prompt_id for live in waiting for prompt_id in self._waiting(live))

    def _waiting(self, live: LiveObject) -> Iterable[int]:
        shown = self._shown.get(live.info.id)
        if shown is None:
            return live.prompts
        if live.prompts.extends(shown.prompts):  # prompts were added: the others are the same
            return (i for i, _ in live.prompts.items_from(len(shown.prompts)))
        return (i for i, p in live.prompts.items() if shown.prompts.get(i) is not p)

    def _show(self, live: LiveObject, known: Callable[[LiveObject], Mask | None]) -> list[Box]:
        """Take the object's mask if it is new; the boxes that must be redrawn."""
        key = (live.info.id, live.changed)
        before = self._shown.get(live.info.id)
        if before is not None and before.key == key and before.prompts is live.prompts:
            return []
        mask = known(live)
        serials = frozenset(edit.serial for edit in live.current_edits())
        if mask is not None:
            shown = _Shown(key, mask, live.prompts, (mask, serials))
        elif self._lacks_edits(serials, before):
            shown = self._provisional(live, before)
        else:
            return []
        self._shown[live.info.id] = shown
        self._answered.pop(live.info.id, None)
        if shown.prompts is live.prompts:
            self._answered[live.info.id] = live
        self._boxes.put(live.info.id, shown.mask.slices)
        self._touched.add(live.info.id)
        return [shown.mask.slices if before is None else _difference(before.mask, shown.mask)]

    def _lacks_edits(self, serials: frozenset[int], before: _Shown | None) -> bool:
        """Whether edits by hand were made or undone since the last computed mask."""
        if before is None:
            return bool(serials)
        return bool(serials - before.computed[1]) or before.mask is not before.computed[0]

    def _provisional(self, live: LiveObject, before: _Shown | None) -> _Shown:
        """The last computed mask with the edits by hand that it lacks."""
        empty = Mask.empty(self._grid.shape)
        computed, done = (empty, frozenset[int]()) if before is None else before.computed
        missing = [edit for edit in live.current_edits() if edit.serial not in done]
        with suppress(InvalidPrompt):  # reported when the mask is computed
            mask = edited(computed, missing, self._grid)
            prompts = {} if before is None else before.prompts
            return _Shown((live.info.id, -1), mask, prompts, (computed, done))
        return _Shown((live.info.id, -1), computed, {}, (computed, done))

    def redraw(self, box: Box) -> None:
        """Draw a box of the labels again."""
        self._draw(box)

    def forget(self, object_id: int) -> None:
        """Take the object's mask again at the next update; until then the present one is shown."""
        shown = self._shown.get(object_id)
        if shown is not None:
            self._shown[object_id] = replace(shown, key=(object_id, -1))

    def _draw(self, box: Box) -> None:
        """Draw a box of the labels from the topmost object down, until all voxels have one."""
        if self._order.largest_id > np.iinfo(self.labels.dtype).max:
            self.labels = self.labels.astype(np.min_scalar_type(self._order.largest_id))
        drawn = np.zeros([s.stop - s.start for s in box], self.labels.dtype)
        free = np.ones(drawn.shape, bool)
        for object_id in self._order.topmost(self._boxes.overlapping(box)):
            mask = self._shown[object_id].mask
            common = _common(mask, box)
            if common is not None:
                inside, crop = common[0], mask.crop[common[1]]
                np.putmask(drawn[inside], crop & free[inside], object_id)
                free[inside] &= ~crop
            if not free.any():
                break
        differs = self.labels[box] != drawn
        self._touched.update(np.unique(self.labels[box][differs]).tolist())
        self._touched.update(np.unique(drawn[differs]).tolist())
        self.labels[box] = drawn


def _rank(moment: LedgerState) -> Callable[[LiveObject], Rank]:
    """The rank of each object: those of higher rank are drawn over the others."""

    def rank(live: LiveObject) -> Rank:
        first = moment.overlap is Overlap.FIRST
        return live.info.locked, -live.info.id if first else live.changed

    return rank


def _around(boxes: list[Box]) -> Box | None:
    """The smallest box around all that are not empty; an empty one if all are."""
    filled = [box for box in boxes if all(s.stop > s.start for s in box)]
    if not filled:
        return boxes[0] if boxes else None
    z, y, x = (
        slice(min(s.start for s in axis), max(s.stop for s in axis))
        for axis in zip(*filled, strict=True)
    )
    return z, y, x


def _difference(first: Mask, other: Mask) -> Box:
    """The smallest box around the voxels that are in one of two masks alone."""
    box = _around([first.slices, other.slices])
    assert box is not None
    inside = bounding_box(first.within(box) != other.within(box))
    z, y, x = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inside, strict=True))
    return z, y, x


def _common(mask: Mask, box: Box) -> tuple[Box, Box] | None:
    """The part that a mask and a box share, in the box's and in the crop's indices."""
    low = [max(s.start, m) for s, m in zip(box, mask.start, strict=True)]
    high = [min(s.stop, m) for s, m in zip(box, mask.stop, strict=True)]
    if any(b <= a for a, b in zip(low, high, strict=True)):
        return None
    starts = [s.start for s in box]

    def relative(origin: list[int]) -> Box:
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(low, high, origin, strict=True))
        return z, y, x

    return relative(starts), relative(list(mask.start))
