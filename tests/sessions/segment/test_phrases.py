"""An object's name goes with its prompts to a backend that takes words; several masks may return.

The image has the values 10, 20 and 30 in three slabs of one slice each.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_medvlm.backends import dispatch, registry
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.errors import BackendFailed
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask, Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.messages import SegmentReply


@pytest.fixture
def volume():
    data = np.repeat([10, 20, 30], 8).reshape(3, 2, 4).astype(np.int16)
    return Volume(data)


@pytest.fixture
def session(volume, scripted):
    with SegmentationSession(volume, "shade-targets", "inline") as session:
        yield session


def names(session):
    return [live.info.name for live in session.now.objects.values()]


def slices(session, object_id):
    """The slices that the mask of an object fills."""
    return np.flatnonzero(session.own_mask(object_id).full().all(axis=(1, 2))).tolist()


def click(session):
    session.add(Point.at_index(session.volume, (0, 1, 1)))
    session.wait()


def test_the_name_that_an_object_has_goes_with_its_prompts(session):
    click(session)
    assert slices(session, 1) == [0]
    session.add_object("shade 30")
    click(session)
    assert slices(session, 2) == [2]
    session.edit_object(2, name="shade 20")
    assert slices(session, 2) == [2]
    click(session)
    assert slices(session, 2) == [1]


def test_several_names_bring_several_objects(session):
    session.add_object("shade 20; shade 30;shade 10")
    click(session)
    assert names(session) == ["shade 20", "shade 30", "shade 10"]
    assert [slices(session, number) for number in (1, 2, 3)] == [[1], [2], [0]]
    assert session.active == 1
    assert [type(p) for p in session.now.objects[2].current()] == [InitialMask]
    click(session)
    assert names(session) == ["shade 20", "shade 30", "shade 10"]


def test_undo_takes_the_other_objects_away_and_then_the_click(session):
    session.add_object("shade 20; shade 30")
    click(session)
    session.undo()
    assert names(session) == ["shade 20; shade 30"]
    assert slices(session, 1) == [1]
    session.redo()
    assert names(session) == ["shade 20", "shade 30"]
    session.undo()
    session.undo()
    assert not session.now.objects[1].prompts


def test_asking_again_and_opening_the_session_later_add_no_objects_twice(session, tmp_path):
    session.add_object("shade 20; shade 30")
    click(session)
    session.ask_again()
    session.wait()
    assert names(session) == ["shade 20", "shade 30"]
    session.ledger.save(tmp_path / "session.json")
    ledger = Ledger.load(tmp_path / "session.json")
    with SegmentationSession(session.volume, "shade-targets", "inline", ledger=ledger) as later:
        later.wait()
        assert names(later) == ["shade 20", "shade 30"]
        assert [slices(later, number) for number in (1, 2)] == [[1], [2]]


def test_a_backend_without_words_never_sees_them(volume, scripted, monkeypatch):
    backend = registry.create("embedded")
    received = []

    def segment(prompts, progress):
        received.append(prompts.phrases)
        return Mask.empty(volume.shape)

    monkeypatch.setattr(backend, "segment", segment)
    prompts = ObjectPrompts((Point.at_index(volume, (0, 0, 0)),), (1,), phrases=("liver",))
    dispatch.segment(backend, volume, prompts, lambda *_: None)
    assert received == [()]


def test_other_masks_lie_on_the_grid_without_the_voxels_of_locked_objects(volume, scripted):
    backend = registry.create("shade-targets")
    backend.set_volume(volume)
    locked = np.zeros(volume.shape, bool)
    locked[2, 0] = True
    prompts = ObjectPrompts(
        (Point.at_index(volume, (0, 0, 0)),), (1,), Mask.of(locked), ("shade 20", "shade 30")
    )
    mask = dispatch.segment(backend, volume, prompts, lambda *_: None)
    assert np.array_equal(mask.others["shade 30"].full(), (volume.data == 30) & ~locked)
    backend.set_volume(Volume(volume.data[:2]))
    with pytest.raises(BackendFailed, match="shape"):
        dispatch.segment(backend, volume, prompts, lambda *_: None)


def test_other_masks_travel_with_the_reply():
    import pickle

    others = {"liver": Mask.of(np.eye(3, dtype=bool)[None])}
    mask = Mask(np.ones((1, 1, 1), bool), (0, 0, 0), (1, 3, 3), others=others)
    sent = pickle.loads(pickle.dumps(SegmentReply(mask, 0.5))).mask
    assert np.array_equal(sent.others["liver"].full()[0], np.eye(3, dtype=bool))
