"""What a backend gives back is refused with what was expected, and what came."""

from types import SimpleNamespace

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.backends import AnswerDelta, GroundQuery, Look, NotFound, Question, Seen
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.detection.base import SlicewiseBackend

GRAY = np.full((4, 5), 0.2, np.float32)
TENSOR = SimpleNamespace(shape=(4, 5))
BOX = nmv.Box.at_index(phantom(), (0, 0, 0), (1, 2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Seen("a", mask=GRAY), "mask has fractions.*probabilities > 0.5"),
        (lambda: Seen("a", mask=np.ones((4, 5, 3), bool)), r"of bool, or None, not .*\(4, 5, 3\)"),
        (lambda: Seen("a", mask=TENSOR), r"mask must be .*SimpleNamespace of shape \(4, 5\)"),
        (lambda: Seen("a", heatmap=GRAY * 20), "from 0 to 1, and lies from 0 to 4"),
        (lambda: Seen("a", heatmap=GRAY * np.nan), "heatmap must lie from 0 to 1"),
        (lambda: Seen("a", 55.0), "score must lie from 0 to 1, and is 55"),
        (lambda: Seen("a", "high"), "score must be a number from 0 to 1, or None, not str"),
        (lambda: Seen("a", bounds=(1, 2, 3)), "bounds must be .left, upper, right, lower."),
        (lambda: Seen("a", bounds=(1, 2, 3, np.inf)), "bounds must be finite"),
        (lambda: Seen("a", points=((1, 2, 3),)), r"points must be pairs \(x, y\)"),
        (lambda: Seen(7), "phrase must be a str, not int"),
        (lambda: Look(Seen("a")), "seen must be a tuple of Seen, not .*Seen"),
        (lambda: Look((GRAY,)), r"a tuple of Seen, not one with an array of shape \(4, 5\)"),
        (lambda: Look(notes="a note"), "notes must be a tuple of str, not str"),
        (lambda: nmv.Mask.of(np.full((2, 2, 2), 0.3)), "probabilities > 0.5"),
        (lambda: nmv.Mask.of(GRAY), r"three axes \(z, y, x\), not the shape \(4, 5\)"),
        (lambda: nmv.Mask(GRAY[None], (0, 0, 0), (9, 9, 9)), "of bool; Mask.of takes others"),
        (lambda: nmv.Heatmap(GRAY, (0, 0, 0), (9, 9, 9)), "floating-point numbers"),
        (lambda: nmv.Region("a", (1, 2, 3, 4)), "box must be Box, not tuple"),
        (lambda: nmv.Region("a", BOX, mask=GRAY), "mask must be Mask or None"),
        (lambda: nmv.Grounding(not_found=("a",)), "a tuple of NotFound, not one with str"),
        (lambda: NotFound("a", None), "reason must be a str, not NoneType"),
        (lambda: GroundQuery("a phrase"), "phrases must be a tuple of str, not str"),
        (lambda: nmv.Answer("Yes.", "Yes."), "claims must be a tuple of Claim, not str"),
        (lambda: nmv.Answer(None), "text must be a str, not NoneType"),
        (lambda: nmv.Claim("Yes.", regions=[BOX]), "a tuple of Region, not one with .*Box"),
        (lambda: AnswerDelta("Yes.", "Yes."), "answer must be Answer or None, not str"),
        (lambda: Question("a?", options="yes"), "options must be a tuple of str"),
    ],
)
def test_a_field_of_another_type_is_refused_with_what_was_expected(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_bool_and_integer_masks_and_boxes_of_numpy_are_accepted():
    inside = np.zeros((4, 5), np.uint8)
    inside[1, 2] = 1
    assert Seen("a", np.float32(0.5), tuple(np.arange(4)), mask=inside).mask.sum() == 1
    assert nmv.Mask.of(np.pad(inside[None] * 255.0, 1)).voxels == 1


class Looking(SlicewiseBackend):
    """Returns what it is given."""

    def look(self, slice_images, query):
        return self.looks


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        (None, "look must return a list of Look, not NoneType"),
        ([Look(), Look()], "a Look for each of 1 pictures, and returned 2"),
        ([Look((Seen("A thing"),))], "'A thing', which was not asked for: .* here 'a thing'"),
    ],
)
def test_looks_that_do_not_fit_the_pictures_or_phrases_are_refused(looks, message):
    backend = Looking()
    backend.set_volume(phantom())
    backend.looks = looks
    with pytest.raises((TypeError, ValueError), match=message):
        backend.ground(GroundQuery(("a thing",), nmv.Scope.of_slice(0, 8)), lambda *_: None)
