"""The masks that were computed, kept small, and the label map that shows them together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import BoolArray, Mask, bounding_box, unpacked
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.ledger.state import LedgerState, LiveObject
from napari_medvlm.sessions.segment.mask_edits import edited

Key = tuple[int, int]
"""An object's id and the serial of the entry that last changed its prompts: it names a mask before
edits by hand."""

Box = tuple[slice, slice, slice]
Labels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]
CACHED_BYTES = 256 * 2**20


class MaskStore:
    """Masks by key, eight voxels a byte; the oldest go when there are too many.

    What is gone is computed again when it is asked for: the ledger is the truth, this a cache.
    """

    def __init__(self) -> None:
        self._packed: OrderedDict[tuple[int, ...], tuple[NDArray[np.uint8], Mask]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._packed

    def __setitem__(self, key: tuple[int, ...], mask: Mask) -> None:
        self.discard(key)
        outline = replace(mask, crop=np.broadcast_to(np.False_, mask.crop.shape))
        self._packed[key] = mask.packed, outline
        self._bytes += mask.packed.nbytes
        while self._bytes > CACHED_BYTES and len(self._packed) > 1:
            self.discard(next(iter(self._packed)))

    def get(self, key: tuple[int, ...]) -> Mask | None:
        """The mask, if it is kept."""
        if key not in self._packed:
            return None
        bits, outline = self._packed[key]
        self._packed.move_to_end(key)
        z, y, x = outline.crop.shape
        return replace(outline, crop=unpacked(bits, (z, y, x)))

    def discard(self, key: tuple[int, ...]) -> None:
        """Forget a mask, if it is there."""
        if key in self._packed:
            self._bytes -= self._packed.pop(key)[0].nbytes

    def discard_object(self, object_id: int) -> None:
        """Forget all masks of an object."""
        for key in [key for key in self._packed if key[0] == object_id]:
            self.discard(key)


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
        self._order: tuple[int, ...] = ()

    def update(self, moment: LedgerState, known: Callable[[LiveObject], Mask | None]) -> Box | None:
        """Show the objects of a moment with the masks known; the box drawn again, or `None`."""
        order = tuple(live.info.id for live in sorted(moment.objects.values(), key=_rank(moment)))
        touched = set(order) if _crossing(order, self._order) else set()
        redrawn = [self._shown[i].mask.slices for i in touched & self._shown.keys()]
        redrawn += [self._shown.pop(i).mask.slices for i in self._shown.keys() - set(order)]
        for live in moment.objects.values():
            redrawn += self._show(live, known)
        self._order = order
        box = _around(redrawn)
        if box is not None:
            self._draw(box)
        return box

    def belonging(self, object_id: int, overlap: Overlap) -> Mask:
        """What belongs to an object by the overlap rule."""
        shown = self._shown.get(object_id)
        if shown is None:
            return Mask.empty((self.labels.shape[0], self.labels.shape[1], self.labels.shape[2]))
        if overlap is Overlap.BOTH:
            return shown.mask
        own = self.labels[shown.mask.slices] == object_id
        return replace(shown.mask, crop=own)

    def shown(self, object_id: int) -> Mask | None:
        """The mask that is shown of an object, before the overlap rule; `None` if there is none."""
        shown = self._shown.get(object_id)
        return None if shown is None else shown.mask

    def unanswered(self, moment: LedgerState) -> frozenset[int]:
        """Ids of the prompts that the masks shown do not yet follow."""
        return frozenset(
            prompt_id
            for live in moment.objects.values()
            for prompt_id, prompt in live.prompts.items()
            if self._answered(live).get(prompt_id) is not prompt
        )

    def _answered(self, live: LiveObject) -> Mapping[int, Prompt]:
        shown = self._shown.get(live.info.id)
        return {} if shown is None else shown.prompts

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
        if max(self._order, default=0) > np.iinfo(self.labels.dtype).max:
            self.labels = self.labels.astype(np.min_scalar_type(max(self._order)))
        drawn = np.zeros([s.stop - s.start for s in box], self.labels.dtype)
        for object_id in self._order:
            shown = self._shown.get(object_id)
            common = None if shown is None else _common(shown.mask, box)
            if shown is not None and common is not None:
                np.putmask(drawn[common[0]], shown.mask.crop[common[1]], object_id)
        self.labels[box] = drawn


def _rank(moment: LedgerState) -> Any:
    """A sorting key: whom later draws over earlier."""

    def rank(live: LiveObject) -> tuple[bool, int]:
        first = moment.overlap is Overlap.FIRST
        return live.info.locked, -live.info.id if first else live.changed

    return rank


def _crossing(new: tuple[int, ...], old: tuple[int, ...]) -> bool:
    """Whether objects that are in both orders stand in another sequence."""
    both = set(new) & set(old)
    return [i for i in new if i in both] != [i for i in old if i in both]


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
    inside = bounding_box(_within(first, box) != _within(other, box))
    z, y, x = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inside, strict=True))
    return z, y, x


def _within(mask: Mask, box: Box) -> BoolArray:
    """The voxels of a box ``(z, y, x)`` that holds a mask."""
    if mask.slices == box:
        return mask.crop
    voxels = np.zeros([s.stop - s.start for s in box], bool)
    common = _common(mask, box)
    if common is not None:
        voxels[common[0]] = mask.crop
    return voxels


def overlaps(mask: Mask, boxes: Sequence[Box]) -> bool:
    """Whether a mask lies in one of the boxes; an empty mask lies in all."""
    return not mask.crop.size or any(_common(mask, box) is not None for box in boxes)


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
