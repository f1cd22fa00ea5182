"""Any sequence of strokes, undo, locks and initial masks gives the masks that plain arrays give."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import ObjectLocked
from napari_medvlm.ledger.ledger import Ledger
from tests.sessions.segment.test_mask_edits import SHAPE, VOLUME, box

voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
strokes = st.tuples(st.sampled_from([0, 1, 2, 3]), voxels, st.integers(1, 5))
steps = st.one_of(
    strokes.map(lambda stroke: ("paint", *stroke)),
    st.just(("undo",)),
    st.just(("redo",)),
    st.tuples(st.just("lock"), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("start"), st.sampled_from([1, 2, 3]), voxels, st.integers(1, 6)),
    st.tuples(st.just("rule"), st.sampled_from(list(nmv.Overlap))),
)


def cube(corner, size):
    return box(*((a, a + size) for a in corner))


class Model:
    """The masks and locks that the steps lead to, as plain arrays."""

    def __init__(self):
        self.masks, self.locked, self.rule = {}, set(), nmv.Overlap.NEWEST

    def copy(self):
        other = Model()
        other.masks = {i: mask.copy() for i, mask in self.masks.items()}
        other.locked, other.rule = set(self.locked), self.rule
        return other

    def paint(self, value, painted):
        if value in self.locked:
            return False
        of_locked = np.any([self.masks[i] for i in self.locked] or [np.zeros(SHAPE, bool)], axis=0)
        free = painted & ~of_locked
        others = [i for i in self.masks if i != value and i not in self.locked]
        if value == 0 and not any((self.masks[i] & free).any() for i in others):
            return False
        if not free.any():
            return False
        if value:
            self.masks.setdefault(value, np.zeros(SHAPE, bool))
            self.masks[value] |= free
        if value == 0 or self.rule is not nmv.Overlap.BOTH:
            for i in others:
                self.masks[i] &= ~free
        return True


class Steps:
    """Takes the same steps in a session and in the model."""

    def __init__(self, session):
        self.session, self.model = session, Model()
        self.past, self.future = [], []

    def take(self, kind, *values):
        if kind in ("undo", "redo"):
            getattr(self, kind)()
            return
        before = self.model.copy()
        if getattr(self, kind)(*values):
            self.past.append(before)
            self.future.clear()

    def paint(self, value, corner, size):
        changed = self.model.paint(value, cube(corner, size))
        try:
            self.session.paint({value: cube(corner, size)})
        except ObjectLocked:
            assert not changed
        return changed

    def start(self, value, corner, size):
        """Take an initial mask; locked objects keep their voxels."""
        if value not in self.model.masks or value in self.model.locked:
            return False
        self.model.masks[value] = cube(corner, size)
        for i in self.model.locked:
            self.model.masks[value] &= ~self.model.masks[i]
        self.session.add(nmv.InitialMask.of(VOLUME, cube(corner, size)), value)
        return True

    def lock(self, value):
        if value not in self.model.masks:
            return False
        self.model.locked ^= {value}
        self.session.edit_object(value, locked=value in self.model.locked)
        return True

    def rule(self, rule):
        changed = rule is not self.model.rule
        self.model.rule = rule
        self.session.set_overlap(rule)
        return changed

    def undo(self):
        self.session.undo()
        if self.past:
            self.future.append(self.model)
            self.model = self.past.pop()

    def redo(self):
        self.session.redo()
        if self.future:
            self.past.append(self.model)
            self.model = self.future.pop()


@given(st.lists(steps, max_size=14))
@settings(max_examples=60, deadline=None)
def test_any_strokes_give_the_masks_that_arrays_give_also_after_reopening(actions):
    with nmv.SegmentationSession(VOLUME, runner="inline") as session:
        run = Steps(session)
        for action in actions:
            run.take(*action)
            assert_same(session, run.model)
        ledger = Ledger(session.ledger.image, session.ledger.records)
        with nmv.SegmentationSession(VOLUME, runner="inline", ledger=ledger) as again:
            assert_same(again, run.model)
            assert_array_equal(again.labels, session.labels)


def assert_same(session, model):
    assert set(session.now.objects) == set(model.masks)
    for object_id, mask in model.masks.items():
        assert_array_equal(session.own_mask(object_id).full(), mask)
