"""What a model is sent, and what is recorded of its answer."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_medvlm.data.answer import Answer, AnswerKind
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.measure import question_of, read
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.scoring import score_answer


@pytest.fixture
def item(tmp_path):
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "a.png")
    return Item(
        name="a",
        images=(tmp_path / "a.png",),
        question="Is it there?",
        answer="yes",
        kind=AnswerKind.YES_NO,
    )


def test_boxes_are_asked_for_with_boxes_of_the_evidence_or_where_the_plan_says_so(item):
    volume = read(item.images[0])
    boxed = item.model_copy(update={"boxes": ((1.0, 1.0, 5.0, 5.0),)})
    asked = [question_of(item, [volume], Plan()), question_of(boxed, [volume], Plan())]
    assert [question.boxes for question in asked] == [False, True]
    assert question_of(item, [volume], Plan(boxes=True)).boxes


def test_a_picture_is_called_the_image_and_no_slice(item):
    asked = question_of(item, [read(item.images[0])], Plan())
    assert asked.captions == ("the image",)


def test_the_prompt_and_the_whole_text_are_recorded(item):
    settings = {"temperature": 0.0}
    answer = Answer(
        "Yes",
        choice="yes",
        written="Yes, I am 90 % sure.",
        prompt="Is it there?",
        settings=settings,
    )
    kept = json.loads(score_answer(item, answer, read(item.images[0]), 1.0).model_dump_json())
    assert (kept["written"], kept["prompt"]) == ("Yes, I am 90 % sure.", "Is it there?")
    assert kept["confidence"] == pytest.approx(0.9)
    assert kept["settings"] == settings
