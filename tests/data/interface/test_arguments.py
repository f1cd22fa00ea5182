"""Wrong arguments of public functions are errors that say what to give."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import (
    BackendUnavailable,
    CannotSave,
    GeometryMismatch,
    InvalidImage,
    InvalidPrompt,
)


def test_arrays_are_taken_where_masks_are(phantom, tmp_path):
    volume, left, _ = phantom
    as_array, as_mask = nmv.measure(volume, left), nmv.measure(volume, nmv.Mask.of(left))
    assert as_array == as_mask
    assert as_array.volume_ml == pytest.approx(left.sum() * 2 / 1000)
    nmv.write_mask(tmp_path / "a.nrrd", left, volume)
    nmv.write_mask(tmp_path / "b.nrrd", nmv.Mask.of(left), volume)
    a, b = (nmv.read_volume(tmp_path / name).data for name in ("a.nrrd", "b.nrrd"))
    assert_array_equal(a, b)
    question = "What is the volume of the kidney?"
    answers = [
        nmv.ask(volume, question, masks={"kidney": mask}).text for mask in (left, nmv.Mask.of(left))
    ]
    assert answers[0] == answers[1]


def test_a_mask_and_a_volume_are_arrays(phantom):
    volume, left, _ = phantom
    mask = nmv.Mask.of(left)
    assert_array_equal(np.asarray(mask), left)
    assert np.asarray(mask, np.uint8).dtype == np.uint8
    assert_array_equal(np.asarray(volume), volume.data)
    assert np.shares_memory(np.asarray(volume), volume.data)
    assert not np.shares_memory(np.array(volume), volume.data)


@pytest.mark.parametrize(
    "call",
    [
        lambda volume, mask: nmv.ask(volume.data, "How large is it?"),
        lambda volume, mask: nmv.ground(volume.data, ["liver"]),
        lambda volume, mask: nmv.measure(volume.data, mask),
        lambda volume, mask: nmv.SegmentationSession(volume.data),
        lambda volume, mask: nmv.AskSession(volume.data),
        lambda volume, mask: nmv.write_mask("a.nii", mask, volume.data),
    ],
)
def test_an_array_as_the_image_is_refused_with_the_remedy(phantom, call):
    with pytest.raises(InvalidImage, match=r"Volume is needed.*ndarray.*Volume\(array, affine\)"):
        call(phantom[0], phantom[1])


def test_exchanged_arguments_of_write_mask_are_refused(phantom):
    volume, left, _ = phantom
    with pytest.raises(CannotSave, match=r"write_mask\(path, mask, volume\)"):
        nmv.write_mask(left, volume, "a.nii")


def test_a_mask_of_another_shape_or_kind_is_refused(phantom):
    volume, left, _ = phantom
    with pytest.raises(GeometryMismatch, match="has the shape"):
        nmv.measure(volume, left.T)
    with pytest.raises(InvalidPrompt, match="str was given"):
        nmv.measure(volume, "mask.nii")


def test_prompts_say_how_they_are_made(phantom):
    volume = phantom[0]
    with pytest.raises(InvalidPrompt, match=r"Point.at_index\(volume, \(z, y, x\)\)"):
        nmv.Point((1, 2, 3))
    with pytest.raises(InvalidPrompt, match="needs the volume first, but tuple"):
        nmv.Point.at_index((1, 2, 3))
    with pytest.raises(InvalidPrompt, match="needs the volume first, but ndarray"):
        nmv.Box.at_index(volume.data, (1, 2, 3), (4, 5, 6))
    with pytest.raises(InvalidPrompt, match="not an index"):
        nmv.Point.at_index(volume, (1, 2))
    with pytest.raises(InvalidPrompt, match="corners are exchanged"):
        nmv.Box.at_index(volume, (5, 6, 7), (1, 2, 3))
    with pytest.raises(InvalidPrompt, match="has no size"):
        nmv.Box.at_index(volume, (5, 6, 7), (8, 6, 9))


def test_a_session_refuses_what_is_no_prompt_and_no_object(phantom):
    volume = phantom[0]
    with nmv.SegmentationSession(volume, runner="inline") as session:
        with pytest.raises(InvalidPrompt, match="tuple is not a prompt"):
            session.add((12, 20, 13))
        session.add(nmv.Point.at_index(volume, (12, 20, 13)))
        for call in (session.mask_of, session.measurement, session.activate):
            with pytest.raises(InvalidPrompt, match="There is no object 99. The ids are: 1"):
                call(99)
        with pytest.raises(InvalidPrompt, match="no object 7"):
            session.add(nmv.Point.at_index(volume, (12, 20, 13)), 7)
    with pytest.raises(InvalidPrompt, match="session is closed"):
        session.add(nmv.Point.at_index(volume, (12, 20, 13)))


def test_a_session_refuses_a_backend_without_prompts_and_an_unknown_runner_at_once(phantom):
    with pytest.raises(BackendUnavailable, match="does not segment.*napari-medvlm ground"):
        nmv.SegmentationSession(phantom[0], "vlm")
    with pytest.raises(BackendUnavailable, match="'thread' is not a runner"):
        nmv.SegmentationSession(phantom[0], runner="thread")


def test_a_choice_without_options_is_refused(phantom):
    with pytest.raises(InvalidPrompt, match="no options"):
        nmv.ask(phantom[0], "Left or right?", kind=nmv.AnswerKind.CHOICE)
