"""Masks edited by hand: voxels stay in later masks, and are undone, saved and replayed."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt, ObjectLocked
from napari_medvlm.data.mask import Mask
from napari_medvlm.io.journal import new_journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import MaskEdited
from napari_medvlm.sessions.export.masks import segments_of
from napari_medvlm.sessions.segment.engine import EDITS_STAY
from tests.conftest import make_phantom

SHAPE = (12, 20, 22)
VOLUME, LEFT_BALL, RIGHT_BALL = make_phantom(SHAPE)
LEFT, RIGHT = (6, 10, 6), (6, 10, 16)


@pytest.fixture
def session():
    with nmv.SegmentationSession(VOLUME, runner="inline") as session:
        yield session


def click(session, zyx, positive=True, object_id=None):
    session.add(nmv.Point.at_index(session.volume, zyx, positive), object_id)
    session.wait()


def box(*corners):
    voxels = np.zeros(SHAPE, bool)
    voxels[tuple(slice(a, b) for a, b in corners)] = True
    return voxels


CORNER = box((0, 2), (0, 3), (0, 4))
MIDDLE = box((5, 8), (9, 12), (5, 8))


def test_painted_voxels_are_added_and_erased_ones_removed(session):
    click(session, LEFT)
    before = session.mask
    session.paint({1: CORNER})
    session.paint({0: MIDDLE})
    assert MIDDLE[before].any()
    assert_array_equal(session.mask, (before | CORNER) & ~MIDDLE)
    assert_array_equal(session.labels == 1, session.mask)


def test_the_next_prediction_retains_both_and_reports_it_once(session):
    notes = []
    session.noted.connect(notes.append)
    click(session, LEFT)
    session.paint({1: CORNER})
    session.paint({0: MIDDLE})
    for zyx in ((6, 10, 7), (6, 9, 6)):
        click(session, zyx)
        assert session.mask[CORNER].all()
        assert not session.mask[MIDDLE].any()
    assert notes == [EDITS_STAY]


def test_the_voxel_painted_last_counts(session):
    click(session, LEFT)
    session.paint({0: CORNER})
    session.paint({1: CORNER})
    session.paint({0: box((0, 1), (0, 1), (0, 1))})
    click(session, (6, 10, 7))
    assert session.mask[CORNER].sum() == CORNER.sum() - 1


def test_undo_and_redo_name_and_walk_through_strokes_without_a_new_prediction(session):
    click(session, LEFT)
    before = session.mask
    session.paint({1: CORNER})
    painted = session.mask
    session.paint({0: MIDDLE})
    erased = session.mask
    assert session.ledger.undo_title == "erase from mask"
    predictions = [r for r in session.ledger.records if r.record == "predicted"]
    session.undo()
    assert_array_equal(session.mask, painted)
    assert session.ledger.undo_title == "paint mask"
    assert session.ledger.redo_title == "erase from mask"
    session.undo()
    assert_array_equal(session.mask, before)
    session.redo()
    session.redo()
    assert_array_equal(session.mask, erased)
    assert [r for r in session.ledger.records if r.record == "predicted"] == predictions


def test_undo_of_the_prompt_after_a_stroke_gives_the_mask_with_the_stroke(session):
    click(session, LEFT)
    session.paint({1: CORNER})
    painted = session.mask
    click(session, (6, 10, 7))
    session.undo()
    assert_array_equal(session.mask, painted)
    session.undo()
    assert not session.mask[CORNER].any()


def test_an_object_can_be_painted_without_any_prompt(session):
    session.paint({7: CORNER})
    assert list(session.now.objects) == [7]
    assert session.active == 7
    assert_array_equal(session.labels, np.where(CORNER, 7, 0))
    session.undo()
    assert not session.now.objects
    assert not session.labels.any()


@pytest.mark.parametrize("rule", [nmv.Overlap.NEWEST, nmv.Overlap.FIRST])
def test_painting_over_another_object_takes_its_voxels_for_good(session, rule):
    click(session, LEFT)
    session.activate(None)
    click(session, RIGHT)
    session.set_overlap(rule)
    session.paint({2: MIDDLE})
    assert (session.labels[MIDDLE] == 2).all()
    click(session, (6, 10, 5), object_id=1)
    assert (session.labels[MIDDLE] == 2).all()
    session.paint({0: MIDDLE})
    assert not session.labels[MIDDLE].any()


def test_where_a_voxel_may_belong_to_both_it_stays_in_the_other(session):
    click(session, LEFT)
    before = session.mask
    session.activate(None)
    click(session, RIGHT)
    session.set_overlap(nmv.Overlap.BOTH)
    session.paint({2: MIDDLE})
    assert_array_equal(session.mask_of(1), before)
    assert session.mask_of(2)[MIDDLE].all()


def test_locked_objects_keep_their_voxels(session):
    click(session, LEFT)
    first = session.mask
    session.edit_object(1, locked=True)
    session.paint({2: MIDDLE | CORNER})
    assert_array_equal(session.mask_of(1), first)
    assert_array_equal(session.mask_of(2), (MIDDLE | CORNER) & ~first)
    session.paint({0: MIDDLE | CORNER})
    assert_array_equal(session.mask_of(1), first)
    assert not session.mask_of(2).any()
    records = session.ledger.records
    for painted in ({1: CORNER}, {0: MIDDLE & first}, {3: MIDDLE & first}):
        with pytest.raises(ObjectLocked, match="Object 1 is locked"):
            session.paint(painted)
    assert session.ledger.records == records


def test_a_mask_on_another_grid_and_a_closed_session_are_refused(session):
    with pytest.raises(GeometryMismatch, match="shape"):
        session.paint({1: np.ones((3, 4, 5), bool)})
    session.close()
    with pytest.raises(InvalidPrompt, match="closed"):
        session.paint({1: CORNER})


def test_empty_stroke_records_no_edit(session):
    session.paint({1: np.zeros(SHAPE, bool)})
    session.paint({0: CORNER})
    assert not session.ledger.records


def test_an_initial_mask_replaces_earlier_strokes_until_it_is_undone(session):
    click(session, LEFT)
    session.paint({1: CORNER})
    painted = session.mask
    session.add(nmv.InitialMask.of(VOLUME, MIDDLE), 1)
    session.wait()
    assert_array_equal(session.mask, MIDDLE)
    (_, start) = session.now.objects[1].prompts
    session.remove(start)
    session.wait()
    assert_array_equal(session.mask, painted)


def test_merged_objects_have_the_strokes_of_both(session):
    click(session, LEFT)
    session.paint({1: CORNER})
    session.activate(None)
    click(session, RIGHT)
    session.paint({0: MIDDLE})
    union = session.mask_of(1) | session.mask_of(2)
    session.merge(1, 2)
    session.wait()
    assert_array_equal(session.mask_of(1), union)


def test_a_saved_session_and_a_journal_have_the_strokes(session, tmp_path):
    path = new_journal(session.ledger.image)
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path) as kept:
        click(kept, LEFT)
        kept.paint({1: CORNER})
        click(kept, (6, 10, 7))
        kept.paint({0: MIDDLE})
        labels = kept.labels.copy()
    kept.ledger.save(tmp_path / "session.json")
    for file in (tmp_path / "session.json", path):
        ledger = Ledger.load(file)
        assert not ledger.damage
        with nmv.SegmentationSession(VOLUME, runner="inline", ledger=ledger) as again:
            again.wait()
            assert_array_equal(again.labels, labels)


def test_replay_compares_what_the_backend_returned_and_applies_the_strokes(session):
    click(session, LEFT)
    computed = session.mask.sum()
    session.paint({1: CORNER})
    session.paint({0: MIDDLE})
    (done,) = nmv.replay(session.ledger, VOLUME, runner="inline")
    assert done.identical
    assert done.voxels_recorded == done.voxels_replayed == computed
    assert done.edits == 2
    assert_array_equal(done.mask.full(), session.mask)


def test_files_name_the_model_and_the_correction_by_hand(session):
    click(session, LEFT)
    session.paint({1: CORNER})
    session.paint({2: MIDDLE})
    assert [s.algorithm for s in segments_of(session).values()] == [
        "embedded, corrected by hand",
        "by hand",
    ]


def test_a_stroke_whose_voxels_are_damaged_is_left_out_and_reported(session):
    click(session, LEFT)
    before = session.mask
    session.paint({1: CORNER})
    entry = session.ledger.records[-1]
    (edit,) = entry.events
    broken = edit.model_copy(update={"added": edit.added.model_copy(update={"bits": "!"})})
    records = [*session.ledger.records[:-1], entry.model_copy(update={"events": (broken,)})]
    ledger = Ledger(session.ledger.image, records)
    with nmv.SegmentationSession(VOLUME, runner="inline", ledger=ledger) as again:
        with pytest.raises(InvalidPrompt, match="stored mask is damaged"):
            again.wait()
        assert_array_equal(again.mask, before)


def test_an_edit_of_an_object_whose_record_is_damaged_is_kept(session, tmp_path):
    path = new_journal(session.ledger.image)
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path) as kept:
        kept.add_object()
        kept.paint({1: CORNER})
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"object_added", b"object_xxxxx")
    path.write_bytes(b"".join(lines))
    ledger = Ledger.load(path)
    assert "1 record is damaged" in ledger.damage
    with nmv.SegmentationSession(VOLUME, runner="inline", ledger=ledger) as again:
        assert_array_equal(again.mask_of(1), CORNER)


def test_asking_again_and_another_backend_keep_the_strokes(session):
    click(session, LEFT)
    session.paint({1: CORNER})
    session.paint({0: MIDDLE})
    painted = session.mask
    session.ask_again()
    session.wait()
    assert_array_equal(session.mask, painted)


def test_strokes_travel_as_json_and_back(session):
    session.paint({1: Mask.of(CORNER), 0: MIDDLE})
    (edit,) = [e for e in session.ledger.records[-1].events if isinstance(e, MaskEdited)]
    again = MaskEdited.model_validate_json(edit.model_dump_json())
    assert_array_equal(again.added.mask(VOLUME.grid).full(), CORNER)
    assert again.removed is None
