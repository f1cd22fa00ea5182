"""Propagate masks from prompted slices to other slices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import Mask


@dataclass(frozen=True, eq=False)
class SliceMask:
    """The object on one slice: ``(height, width)`` bool over its picture, and the model's score."""

    inside: NDArray[np.bool_]
    score: float


@dataclass(frozen=True)
class StopRule:
    """When an object has ended and its neighbour slice is left empty.

    Parameters
    ----------
    score
        The least predicted score.
    overlap
        The least intersection over union with the slice before. It bounds how much the area may
        grow or shrink too.
    """

    score: float = 0.5
    overlap: float = 0.5

    def ends(self, before: SliceMask, here: SliceMask) -> bool:
        """Return whether the object has ended before a slice."""
        overlap = np.count_nonzero(before.inside & here.inside)
        either = np.count_nonzero(before.inside | here.inside)
        return not overlap or here.score < self.score or bool(overlap / either < self.overlap)


class Step(Protocol):
    """Finds the object on a slice from what it is on the slice before."""

    def __call__(self, index: int, before: SliceMask, prefetch: Sequence[int]) -> SliceMask:
        """The object on slice ``index``; ``then`` are the slices that are likely to follow."""


def propagated(
    known: Mapping[int, SliceMask], first: int, last: int, step: Step, stop: StopRule
) -> dict[int, SliceMask]:
    """The object on all slices, from those on which it is known.

    Each known slice is carried both ways: to ``first`` and ``last`` until the stop rule holds, and
    half-way to the next known slice, where only an empty mask ends it.
    """
    masks = dict(known)
    for way, beyond in _ways(sorted(known), first, last):
        before = known[way[0]]
        for at, index in enumerate(way[1:], 1):
            here = step(index, before, way[at + 1 :])
            if not here.inside.any() or (beyond and stop.ends(before, here)):
                break
            masks[index] = before = here
    return masks


def _ways(known: Sequence[int], first: int, last: int) -> Iterator[tuple[range, bool]]:
    """Slices to go from a known one, itself first, and whether none is known at the end."""
    yield range(known[0], min(first, known[0]) - 1, -1), True
    for low, high in itertools.pairwise(known):
        middle = (low + high) // 2
        yield range(low, middle + 1), False
        yield range(high, middle, -1), False
    yield range(known[-1], max(last, known[-1]) + 1), True


def stacked(masks: Sequence[Mask], score: float | None) -> Mask:
    """Masks as one, cut to its bounding box; at least one."""
    shape, masks = masks[0].shape, [mask for mask in masks if mask.crop.size]
    if not masks:
        return Mask.empty(shape)
    low = np.min([mask.start for mask in masks], axis=0)
    high = np.max([mask.stop for mask in masks], axis=0)
    crop = np.zeros(high - low, bool)
    for mask in masks:
        z, y, x = (
            slice(a - b, a - b + n)
            for a, b, n in zip(mask.start, low.tolist(), mask.crop.shape, strict=True)
        )
        crop[z, y, x] |= mask.crop
    return Mask(crop, (int(low[0]), int(low[1]), int(low[2])), shape, score)


def replaced(before: Mask, mask: Mask, axis: int, indices: Iterable[int]) -> Mask:
    """A mask whose slices ``indices`` across an axis are those of another."""
    crop = before.crop.copy()
    for index in indices:
        if 0 <= index - before.start[axis] < crop.shape[axis]:
            np.moveaxis(crop, axis, 0)[index - before.start[axis]] = False
    own = Mask.of(crop)
    z, y, x = (a + b for a, b in zip(before.start, own.start, strict=True))
    return stacked([Mask(own.crop, (z, y, x), before.shape), mask], mask.score)
