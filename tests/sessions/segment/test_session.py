"""What the user does in a session, and what they may rely on."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import InvalidImage, InvalidPrompt, ObjectLocked, SessionFileError
from napari_medvlm.data.mask import bounding_box
from tests.conftest import dice, make_phantom

LEFT, RIGHT, OUTSIDE = (12, 20, 13), (12, 20, 33), (12, 4, 22)


@pytest.fixture
def session(phantom):
    with nmv.SegmentationSession(phantom[0], runner="inline") as session:
        yield session


def click(session, zyx, positive=True, object_id=None):
    point = nmv.Point.at_index(session.volume, zyx, positive)
    prompt_id = session.add(point, object_id)
    session.wait()
    return prompt_id


def test_one_click_segments_the_clicked_object(session, phantom):
    click(session, LEFT)
    assert dice(session.mask, phantom[1]) > 0.9
    assert not (session.mask & phantom[2]).any()


def test_the_scan_is_not_changed(session):
    before = session.volume.data.copy()
    click(session, LEFT)
    assert_array_equal(session.volume.data, before)


def test_undo_of_the_only_prompt_clears_the_mask_and_redo_brings_it_back(session):
    click(session, LEFT)
    mask = session.mask
    session.undo()
    assert not session.mask.any()
    assert not session.now.objects
    session.redo()
    session.wait()
    assert_array_equal(session.mask, mask)


def test_undo_and_redo_walk_through_prompts_edits_and_objects(session):
    masks = [session.mask]
    for zyx, positive in [(LEFT, True), (OUTSIDE, False), (RIGHT, True)]:
        click(session, zyx, positive)
        masks.append(session.mask)
    session.edit_object(1, name="kidney")
    session.undo()
    assert session.now.objects[1].info.name == "Object 1"
    for mask in reversed(masks[:-1]):
        session.undo()
        session.wait()
        assert_array_equal(session.mask, mask)
    for mask in masks[1:]:
        session.redo()
        session.wait()
        assert_array_equal(session.mask, mask)
    session.redo()
    assert session.now.objects[1].info.name == "kidney"


def test_undo_and_redo_of_nothing_do_nothing(session):
    session.undo()
    session.redo()
    assert not session.ledger.records


def test_moving_a_prompt_moves_the_mask(session, phantom):
    prompt_id = click(session, LEFT)
    session.change({prompt_id: nmv.Point.at_index(session.volume, RIGHT)})
    session.wait()
    assert dice(session.mask, phantom[2]) > 0.9


def test_removing_the_prompts_leaves_an_empty_object(session):
    prompt_id = click(session, LEFT)
    session.remove(prompt_id)
    assert not session.mask.any()
    assert 1 in session.now.objects


def test_two_objects_have_their_own_masks_and_one_can_go_back_to_the_first(session, phantom):
    click(session, LEFT)
    second = session.add_object("right one")
    click(session, RIGHT)
    assert dice(session.mask_of(1), phantom[1]) > 0.9
    assert dice(session.mask_of(second), phantom[2]) > 0.9
    session.activate(1)
    click(session, OUTSIDE, positive=False)
    assert len(session.now.objects[1].prompts) == 2
    assert set(np.unique(session.labels)) == {0, 1, 2}


def test_a_locked_object_is_never_overwritten_and_refuses_prompts(session):
    click(session, LEFT)
    before = session.mask_of(1)
    session.edit_object(1, locked=True)
    second = session.add_object()
    box = nmv.Box.at_index(session.volume, (2, 4, 2), (22, 36, 42))
    session.add(box)
    session.wait()
    assert_array_equal(session.mask_of(1), before)
    assert not (session.own_mask(second).full() & before).any()
    with pytest.raises(ObjectLocked, match="locked"):
        click(session, RIGHT, object_id=1)


def test_a_colour_of_another_form_is_refused_with_the_form(session):
    click(session, LEFT)
    with pytest.raises(InvalidPrompt, match=r"'red' is no colour.*#rrggbb"):
        session.edit_object(1, color="red")
    session.edit_object(1, color="#FF8000")
    assert session.now.objects[1].info.color == "#FF8000"


def test_unlocking_does_not_change_a_mask_that_was_made_beside_a_locked_one(session):
    click(session, LEFT)
    session.edit_object(1, locked=True)
    second = session.add_object()
    click(session, RIGHT)
    made = session.mask_of(second)
    session.edit_object(1, locked=False)
    session.wait()
    assert_array_equal(session.mask_of(second), made)


def test_existing_labels_become_locked_objects_with_their_names(session, phantom):
    labels = phantom[1].astype(np.uint8) * 4 + phantom[2].astype(np.uint8) * 9
    made = session.import_labels(labels, {4: "liver"})
    infos = [session.now.objects[i].info for i in made]
    assert [info.name for info in infos] == ["liver", "Label 9"]
    assert all(info.locked for info in infos)
    assert_array_equal(session.mask_of(made[0]), phantom[1])
    session.undo()
    assert not session.now.objects


@pytest.mark.parametrize(
    ("overlap", "owner"),
    [(nmv.Overlap.NEWEST, 2), (nmv.Overlap.FIRST, 1), (nmv.Overlap.BOTH, 2)],
)
def test_the_overlap_rule_decides_which_object_has_a_shared_voxel(session, overlap, owner):
    a = np.zeros(session.volume.shape, bool)
    b = a.copy()
    a[5:15, 5:15, 5:15] = True
    b[10:20, 10:20, 10:20] = True
    session.add(nmv.InitialMask.of(session.volume, a))
    session.add_object()
    session.add(nmv.InitialMask.of(session.volume, b))
    session.set_overlap(overlap)
    assert session.labels[12, 12, 12] == owner
    assert_array_equal(session.mask_of(owner), b if owner == 2 else a)
    other = 3 - owner
    whole = {1: a, 2: b}[other]
    expected = whole if overlap is nmv.Overlap.BOTH else whole & ~(a & b)
    assert_array_equal(session.mask_of(other), expected)


def test_merging_makes_one_object_of_two_and_is_one_undo(session, phantom):
    click(session, LEFT)
    second = session.add_object()
    click(session, RIGHT)
    both = session.mask_of(1) | session.mask_of(second)
    session.merge(1, second)
    assert_array_equal(session.mask_of(1), both)
    assert list(session.now.objects) == [1]
    session.undo()
    session.wait()
    assert dice(session.mask_of(second), phantom[2]) > 0.9


def test_splitting_gives_each_piece_an_object(session, phantom):
    session.add(nmv.InitialMask.of(session.volume, phantom[1] | phantom[2]))
    (piece,) = session.split(1)
    sizes = sorted([phantom[1].sum(), phantom[2].sum()], reverse=True)
    assert [session.mask_of(i).sum() for i in (1, piece)] == sizes
    with pytest.raises(InvalidPrompt, match="one piece"):
        session.split(piece)


def test_a_mask_to_start_from_is_taken_exactly(session, phantom):
    session.add(nmv.InitialMask.of(session.volume, phantom[1]))
    assert_array_equal(session.mask, phantom[1])


def test_deleting_objects_is_one_undo(session):
    click(session, LEFT)
    session.add_object()
    click(session, RIGHT)
    session.remove_objects(1, 2)
    assert not session.labels.any()
    session.undo()
    session.wait()
    assert set(np.unique(session.labels)) == {0, 1, 2}


def test_the_measure_line_states_millilitres_millimetres_and_hounsfield(session, phantom):
    session.add(nmv.InitialMask.of(session.volume, phantom[1]))
    found = session.measurement(1)
    assert found.volume_ml == pytest.approx(phantom[1].sum() * 2.0 / 1000)
    low, high = np.array(found.box_mm)
    extent = [np.ptp(np.flatnonzero(phantom[1].any(axis=a))) + 1 for a in ((1, 2), (0, 2), (0, 1))]
    assert high - low == pytest.approx(np.array(extent) * session.volume.spacing)
    assert found.mean == pytest.approx(session.volume.data[phantom[1]].mean())
    assert "HU" in str(found)


def test_a_bad_prompt_changes_nothing(session):
    click(session, LEFT)
    records = session.ledger.records
    with pytest.raises(InvalidPrompt, match="outside the image"):
        click(session, (99, 0, 0))
    assert session.ledger.records == records


def test_a_constant_image_is_refused():
    with pytest.raises(InvalidImage, match="same value"):
        nmv.SegmentationSession(nmv.Volume(np.ones((3, 3, 3))), runner="inline")


def test_a_resumed_session_has_the_same_masks(session, tmp_path):
    click(session, LEFT)
    session.add_object("right")
    click(session, RIGHT)
    labels = session.labels.copy()
    session.ledger.save(tmp_path / "session.json")
    ledger = nmv.Ledger.load(tmp_path / "session.json")
    with nmv.SegmentationSession(session.volume, runner="inline", ledger=ledger) as again:
        again.wait()
        assert_array_equal(again.labels, labels)
        again.undo()
        again.wait()
        assert set(np.unique(again.labels)) == {0, 1}


def test_a_session_of_another_image_is_refused(session, tmp_path):
    click(session, LEFT)
    other = make_phantom(seed=1)[0]
    with pytest.raises(SessionFileError, match="another image"):
        nmv.SegmentationSession(other, runner="inline", ledger=session.ledger)


def test_replay_says_that_the_masks_are_identical(session):
    click(session, LEFT)
    click(session, OUTSIDE, positive=False)
    (done,) = nmv.replay(session.ledger, session.volume, runner="inline")
    assert done.identical
    assert_array_equal(done.mask.full(), session.mask)


def test_replay_says_when_they_are_not(session):
    click(session, LEFT)
    made = session.ledger.predicted(1, session.now.objects[1].changed)
    forged = [
        r.model_copy(update={"digest": "other"}) if r is made else r for r in session.ledger.records
    ]
    ledger = nmv.Ledger(session.ledger.image, forged)
    (done,) = nmv.replay(ledger, session.volume, runner="inline")
    assert done.identical is False


def test_a_flat_picture_and_a_colour_picture_can_be_clicked():
    z, y, x = np.indices((1, 60, 60))
    disc = (y - 30) ** 2 + (x - 25) ** 2 < 15**2
    noise = np.random.default_rng(0).normal(0, 4, (1, 60, 60, 3))
    picture = np.where(disc[..., None], (200, 120, 90), (90, 60, 50)) + noise
    volume = nmv.Volume(picture.astype(np.uint8))
    with nmv.SegmentationSession(volume, runner="inline") as session:
        click(session, (0, 30, 25))
        assert dice(session.mask, disc) > 0.9


def test_only_the_box_that_differs_is_drawn_anew(session):
    boxes = []
    session.changed.connect(boxes.append)
    click(session, LEFT)
    before = session.labels.copy()
    click(session, RIGHT)
    reported = [box for box in boxes if box is not None]
    assert reported[-1] == bounding_box(before != session.labels)


def test_the_size_of_the_last_point_is_an_edit_that_is_undone_and_replayed(session, tmp_path):
    click(session, LEFT)
    own = session.mask
    assert session.step_size(1) == 1
    session.wait()
    larger = session.mask
    assert larger.sum() > own.sum()
    session.ledger.save(tmp_path / "session.json")
    ledger = nmv.Ledger.load(tmp_path / "session.json")
    (replayed,) = nmv.replay(ledger, session.volume, runner="inline")
    assert replayed.identical
    session.undo()
    session.wait()
    assert_array_equal(session.mask, own)


def test_the_size_is_that_of_a_point(session):
    with pytest.raises(InvalidPrompt, match="the last prompt is not a point"):
        session.step_size(1)
    click(session, LEFT)
    for _ in range(12):
        session.step_size(-1)
    with pytest.raises(InvalidPrompt, match="no more than 12 steps"):
        session.step_size(-1)
