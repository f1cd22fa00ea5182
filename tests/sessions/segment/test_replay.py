"""The same prompts to another backend."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.mask import Mask
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Predicted
from napari_medvlm.sessions.segment.replay import Replayed, compared, only, replay
from napari_medvlm.settings import chosen_models
from tests.conftest import dice, make_phantom


@pytest.fixture
def session(foreign):
    volume, left, right = make_phantom((12, 20, 22))
    with nmv.SegmentationSession(volume, runner="inline") as session:
        for where in (left, right):
            session.add_object()
            z, y, x = np.argwhere(where).mean(axis=0)
            session.add(nmv.Point.at_index(volume, (z, y, x)))
        session.wait()
        yield session


def test_one_object_is_replayed_alone_and_the_ledger_stays(session, foreign):
    before = session.ledger.records
    alone = only(session.ledger, 2)
    assert list(alone.now.objects) == [2]
    (now,) = replay(alone, session.volume, foreign, runner="inline")
    assert session.ledger.records == before
    assert (now.object_id, now.backend) == (2, foreign)
    found = compared(session.own_mask(2), now, "embedded", session.volume)
    then = session.own_mask(2).full()
    assert found.dice == pytest.approx(dice(then, now.mask.full()))
    assert 0 < found.dice < 1
    assert found.volume_recorded_ml == pytest.approx(then.sum() * 2 / 1000)
    assert "Dice" in str(found)


def test_two_empty_masks_are_equal(session):
    empty = Mask.empty(session.volume.shape)
    now = Replayed(1, "it", None, None, None, 0, empty)
    assert compared(empty, now, None, session.volume).dice == 1


def test_a_stored_mask_names_its_source(session):
    mask = Mask.of(np.ones(session.volume.shape, bool))
    session.add(nmv.InitialMask.of(session.volume, mask), 1, "by another")
    session.wait()
    added = session.ledger.entries[-1].events[0]
    assert added.origin == "by another"
    assert session.own_mask(1).voxels == mask.voxels


def test_the_scores_of_slices_stay_with_the_mask(session):
    from napari_medvlm.sessions.segment.mask_store import MaskStore

    store = MaskStore()
    mask = Mask(np.ones((2, 2, 2), bool), (0, 0, 0), (4, 4, 4), 0.8, {(0, 0): 0.9, (0, 1): 0.61})
    store[1, 1] = mask
    kept = store.get((1, 1))
    assert kept.digest == mask.digest
    assert kept.lowest_slice_score == ((0, 1), 0.61)
    assert Mask.empty((4, 4, 4)).lowest_slice_score is None


def naming(ledger, backend, model):
    """A copy of a ledger whose masks name a backend and a model."""
    update = {"backend": backend, "model": model}
    records = [
        r.model_copy(update=update) if isinstance(r, Predicted) else r for r in ledger.records
    ]
    return Ledger(ledger.image, records)


@pytest.mark.parametrize("model", ["http://127.0.0.1:9/v1#m", "models/of-somebody-else"])
def test_a_model_that_only_the_session_names_is_not_used(session, model):
    ledger = naming(session.ledger, "nninteractive-server", model)
    with pytest.raises(BackendUnavailable, match="which you have not chosen before"):
        replay(ledger, session.volume, runner="inline")
    with nmv.SegmentationSession(session.volume, runner="inline", ledger=ledger) as opened:
        assert list(opened.now.objects) == [1, 2]
        assert not opened.mask_of(1).any()
        opened.activate(1)
        opened.ask_again()
        assert opened.mask_of(1).any()


def test_a_model_that_the_user_chose_is_used_in_a_replay(session, tmp_path):
    ledger = naming(session.ledger, "sam", str(tmp_path / "mine"))
    chosen_models.remember("sam", str(tmp_path / "mine"))
    with pytest.raises(BackendUnavailable, match="There is no file") as error:
        replay(ledger, session.volume, runner="inline")
    assert "not chosen" not in str(error.value)
