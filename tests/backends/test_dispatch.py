"""What a backend gives back is checked before anything is done with it."""

import pytest

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Task
from napari_medvlm.data.answer import Answer, AnswerDelta, Question
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendFailed
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.prompts import Point


class Careless(Backend):
    """Returns whatever it is made with, from every method."""

    info = BackendInfo("careless", "Careless", "MIT", frozenset({Point}), frozenset(Task))

    def __init__(self, result):
        self.result = result

    def set_volume(self, volume):
        pass

    def segment(self, prompts, progress):
        return self.result

    ground = label = answer = segment


def quiet(fraction, message=""):
    pass


def test_an_array_instead_of_a_mask_is_an_error_that_says_what_to_return(phantom):
    volume, left, _ = phantom
    prompts = ObjectPrompts((Point.at_index(volume, (12, 20, 13)),), (1,))
    with pytest.raises(BackendFailed, match=r"gave ndarray.*Return napari_medvlm.Mask.of\(array\)"):
        dispatch.segment(Careless(left), volume, prompts, quiet)


def test_other_results_are_checked_too(phantom):
    volume = phantom[0]
    with pytest.raises(BackendFailed, match="gave list, which is not a Grounding"):
        dispatch.ground(Careless([]), volume, GroundQuery(("skull",), Scope()), quiet)
    with pytest.raises(BackendFailed, match="gave dict, which is not a ClassificationResult"):
        dispatch.label(Careless({}), volume, LabelQuery(("a", "b")), quiet)


@pytest.mark.parametrize("result", ["Yes.", Answer("Yes."), None, ["Yes."]])
def test_an_answer_that_is_no_delta_is_an_error_that_says_what_to_yield(phantom, result):
    with pytest.raises(BackendFailed, match="Yield AnswerDelta"):
        dispatch.answer(Careless(result), phantom[0], Question("Is it?"), quiet, lambda text: None)


def test_deltas_are_taken(phantom):
    deltas = [AnswerDelta("Yes."), AnswerDelta(answer=Answer("Yes."))]
    answer = dispatch.answer(Careless(deltas), phantom[0], Question("Is it?"), quiet, print)
    assert answer.text == "Yes."
