"""An object is followed from slice to slice until it ends."""

from __future__ import annotations

import numpy as np
import pytest

from napari_medvlm.backends.sam.propagation import (
    SliceMask,
    StopRule,
    propagated,
    replaced,
    stacked,
)
from napari_medvlm.data.mask import Mask


def row(first, last, score=0.9):
    """A mask of one row of pixels."""
    inside = np.zeros((1, 20), bool)
    inside[0, first:last] = True
    return SliceMask(inside, score)


class Follow:
    """Gives what is at a slice, and remembers from where it was reached."""

    def __init__(self, truth):
        self.truth, self.calls = truth, []

    def __call__(self, index, before, prefetch):
        self.calls.append((index, tuple(prefetch)))
        return self.truth.get(index, row(0, 0))


def followed(truth, known, first=0, last=9):
    follow = Follow(truth)
    return propagated({k: truth[k] for k in known}, first, last, follow, StopRule()), follow.calls


def test_it_is_followed_both_ways_to_the_ends():
    masks, calls = followed({k: row(2, 10) for k in range(10)}, [4])
    assert set(masks) == set(range(10))
    assert [index for index, _ in calls] == [3, 2, 1, 0, 5, 6, 7, 8, 9]
    assert calls[0][1] == (2, 1, 0)


def test_it_is_followed_from_the_slice_before():
    seen = {}

    def step(index, before, prefetch):
        seen[index] = before.inside.sum()
        return row(2, 10 + index - 4)

    propagated({4: row(2, 10)}, 4, 7, step, StopRule())
    assert seen == {5: 8, 6: 9, 7: 10}


@pytest.mark.parametrize(
    "last",
    [row(0, 0), row(11, 19), row(2, 5), row(0, 20), row(2, 10, score=0.3)],
    ids=["empty", "elsewhere", "much smaller", "much larger", "unsure"],
)
def test_it_ends_where_the_next_slice_does_not_fit(last):
    masks, calls = followed({3: row(2, 10), 4: row(2, 10), 5: row(2, 10), 6: last}, [4])
    assert set(masks) == {3, 4, 5}
    assert [index for index, _ in calls] == [3, 2, 5, 6]


def test_a_slow_change_does_not_end_it():
    masks, _ = followed({k: row(2, 18 - k) for k in range(10)}, [0])
    assert set(masks) == set(range(10))


def test_between_two_prompted_slices_it_is_followed_to_the_middle_from_both():
    truth = {k: row(2, 10) for k in range(3, 9)} | {5: row(2, 4, score=0.1)}
    masks, calls = followed(truth, [3, 8], first=3, last=8)
    assert [index for index, _ in calls] == [4, 5, 7, 6]
    assert set(masks) == set(range(3, 9))


def test_between_prompted_slices_an_empty_mask_ends_it():
    masks, calls = followed({2: row(2, 10), 8: row(2, 10), 7: row(2, 10)}, [2, 8], 2, 8)
    assert set(masks) == {2, 7, 8}
    assert [index for index, _ in calls] == [3, 7, 6]


def test_it_stays_within_its_bounds():
    masks, _ = followed({k: row(2, 10) for k in range(10)}, [4], first=3, last=6)
    assert set(masks) == {3, 4, 5, 6}


def test_prompts_outside_the_bounds_count_too():
    masks, _ = followed({k: row(2, 10) for k in range(10)}, [1, 4], first=3, last=6)
    assert set(masks) == set(range(1, 7))


def block(start, stop, shape=(10, 20, 24)):
    full = np.zeros(shape, bool)
    full[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return full


def test_masks_of_slices_are_put_together():
    parts = [block((2, 3, 4), (3, 8, 9)), block((3, 5, 2), (4, 9, 7)), block((0, 0, 0), (0, 0, 0))]
    mask = stacked([Mask.of(part) for part in parts], 0.5)
    assert np.array_equal(mask.full(), np.logical_or.reduce(parts))
    assert mask.digest == Mask.of(np.logical_or.reduce(parts)).digest
    assert mask.score == 0.5
    assert stacked([Mask.empty((1, 2, 3))], None).shape == (1, 2, 3)


@pytest.mark.parametrize("axis", range(3))
def test_slices_of_a_mask_are_replaced(axis):
    before, after = block((2, 3, 4), (8, 12, 14)), np.zeros((10, 20, 24), bool)
    np.moveaxis(after, axis, 0)[5, 1:3, 1:3] = True
    result = replaced(Mask.of(before), Mask.of(after), axis, [5]).full()
    np.moveaxis(before, axis, 0)[5] = False
    assert np.array_equal(result, before | after)
