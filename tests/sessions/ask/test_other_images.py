"""The slices of a prior at the registered places of those that are sent."""

from dataclasses import replace

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.sessions.ask.image_selection import ImageSelection, pictures
from napari_medvlm.sessions.ask.other_images import NamedVolume, counterpart, counterparts
from tests.sessions.ask.conversations import heard, script

GRAY = (Window(0.5, 1.0),)
SHIFT_MM = np.array([6.0, -2.0, 3.0])


def moved_prior(volume):
    """A prior whose millimetres are those of the image plus `SHIFT_MM`, and its pairing."""
    affine = volume.affine.copy()
    affine[:3, 3] += SHIFT_MM
    to_current = np.eye(4)
    to_current[:3, 3] = -SHIFT_MM
    pairing = Pairing(PairingKind.RIGID, to_current)
    return NamedVolume("old.nii", replace(volume, affine=affine), pairing, is_prior=True)


def test_each_slice_of_the_prior_comes_before_the_current_one_with_both_roles(scene):
    volume, _ = scene
    shown = pictures(volume, ImageSelection(Scope(0, 4, 6), others=(moved_prior(volume),)))
    assert shown.of == ("old.nii", "", "old.nii", "")
    assert [caption.partition(", window")[0] for caption in shown.captions] == [
        "prior study, axial slice 4 of 12", "current study, axial slice 4 of 12",
        "prior study, axial slice 5 of 12", "current study, axial slice 5 of 12",
    ]  # fmt: skip
    assert [p.image_name for p in shown.pictures] == list(shown.of)


def test_a_registered_prior_shows_the_same_anatomy_where_its_millimetres_differ(scene):
    volume, _ = scene
    prior = moved_prior(volume)
    before, now = pictures(volume, ImageSelection(Scope(0, 5, 6), others=(prior,))).pictures
    np.testing.assert_array_equal(before.pixels, now.pixels)
    np.testing.assert_allclose(
        before.point(7, 8).position_mm, now.point(7, 8).position_mm + SHIFT_MM, atol=1e-6
    )
    unregistered = NamedVolume("old.nii", prior.volume, is_prior=True)
    thickness = volume.spacing[0]
    match = counterpart(volume, SliceRef(0, 5), unregistered)
    assert match is not None
    assert match[0].index == round(5 - SHIFT_MM[0] / thickness)


def test_a_crop_is_cut_at_the_registered_place(scene):
    volume, _ = scene
    box = Box.at_index(volume, (5, 4, 6), (6, 12, 15))
    match = counterpart(volume, SliceRef(0, 5), moved_prior(volume), box)
    assert match == (SliceRef(0, 5), ((4, 12), (6, 15)))


@pytest.mark.parametrize(("degrees", "noted"), [(5, False), (20, True)])
def test_slices_of_a_tilted_prior_are_named(scene, degrees, noted):
    volume, _ = scene
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    centre = volume.grid.to_world((np.array(volume.shape) - 1) / 2)
    turn[:3, 3] = centre - turn[:3, :3] @ centre
    other = NamedVolume("old", volume, Pairing(PairingKind.RIGID, turn), is_prior=True)
    _, notes = counterparts(volume, [SliceRef(0, 6)], other)
    expected = f"The slices of old are tilted by {degrees} degrees against those sent."
    assert notes == ((expected,) if noted else ())


def test_two_radiographs_match_whatever_their_positions_are():
    first = Volume(np.zeros((1, 20, 30), np.float32), np.diag([1.0, 0.5, 0.5, 1]))
    affine = np.diag([1.0, 0.4, 0.4, 1])
    affine[:3, 3] = 500, 0, 0
    second = NamedVolume("prior", Volume(np.zeros((1, 25, 35), np.float32), affine))
    assert counterpart(first, SliceRef(0, 0), second) == (SliceRef(0, 0), None)


def test_a_box_in_the_prior_is_in_its_millimetres_and_names_it(inline, scene):
    volume, _ = scene
    prior = moved_prior(volume)
    view = ImageSelection(Scope(0, 3, 4), windows=GRAY, others=(prior,))
    says = script({"say": "there", "box": [2, 3, 9, 11], "picture": 1})
    turn = inline.turn(inline.ask("a?", selection=view, context=says))
    (region,) = turn.answer.claims[0].regions
    assert (region.image_name, region.slice) == ("old.nii", None)
    own = nmv.Volume(volume.data, volume.affine)
    inside = Box.at_index(own, (3, 3, 2), (4, 11, 9)).corners() + SHIFT_MM
    np.testing.assert_allclose(np.sort(region.box.corners(), 0), np.sort(inside, 0), atol=1e-6)


def test_the_second_question_sends_the_pictures_of_the_first_again(inline):
    first = ImageSelection(Scope(0, 3, 4), windows=GRAY)
    inline.ask("one?", selection=first, context=script({"say": "yes"}))
    second = inline.turn(inline.ask("two?", selection=ImageSelection(Scope(0, 7, 8))))
    reported = heard(second)
    assert [len(captions) for captions in reported["earlier_captions"]] == [1]
    assert reported["earlier_captions"][0][0].startswith("axial slice 3 of 12")
    note = "Sent again with 1 image of earlier questions: axial slice 3 of 12."
    assert second.answer.notes == (note,)


def test_a_picture_that_the_question_sends_itself_is_sent_once(inline):
    view = ImageSelection(Scope(0, 3, 4), windows=GRAY)
    inline.ask("one?", selection=view, context=script({"say": "yes"}))
    reported = heard(inline.turn(inline.ask("two?", selection=view)))
    assert reported["earlier_captions"] == [[]]
    assert len(reported["captions"]) == 1
