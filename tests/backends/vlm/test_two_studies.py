"""Questions about a current study and its prior, and pictures of earlier questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import answering_row
from napari_medvlm.backends.vlm.chat_messages import fewer_pictures, messages, pictures_of
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages
from napari_medvlm.backends.vlm.prompt_inputs import build_inputs
from napari_medvlm.data.answer import ChatTurn, Question
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.image_selection import ImageSelection, pictures
from napari_medvlm.sessions.ask.other_images import NamedVolume
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import force
from tests.backends.vlm.conversations import ask, loaded

QWEN = answering_row("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl")
INTERNVL = answering_row("OpenGVLab/InternVL3-2B-hf", "internvl")
RAMP = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (3, 30, 1))
NOW = Volume(RAMP, np.diag([3.0, 1.0, 1.0, 1.0]), name="now")
BEFORE = Volume(RAMP[:, ::-1].copy(), NOW.affine, name="before")


def two_studies(text="Has it grown?", index=1):
    view = ImageSelection(
        Scope(0, index, index + 1), others=(NamedVolume("before", BEFORE, is_prior=True),)
    )
    shown = pictures(NOW, view)
    return Question(text, pictures=shown.pictures, captions=shown.captions)


def texts(question, row):
    return [
        "PICTURE" if isinstance(part, SliceImage) else part.partition(", window")[0]
        for message in messages(question, row, functions=False)[1:]
        for part in message.parts
    ]


@pytest.mark.parametrize(("row", "name"), [(QWEN, "Picture {}"), (INTERNVL, "Image-{}")])
def test_studies_have_their_roles_and_the_numbers_of_the_models_authors(row, name):
    assert texts(two_studies(), row) == [
        f"{name.format(1)}: prior study, axial slice 1 of 3", "PICTURE",
        f"{name.format(2)}: current study, axial slice 1 of 3", "PICTURE", "Has it grown?",
    ]  # fmt: skip


def read(text, question, row=QWEN):
    shown = [CitedImages(p, framed(p.pixels, 0), c) for p, c in pictures_of(question)]
    return answer_of(ModelOutput(text), question, row, shown)


BOX = '[{"bbox_2d": [4, 6, 14, 16], "label": "nodule"}]'


@pytest.mark.parametrize(
    ("sentence", "image"),
    [
        ("Picture 1 shows a nodule", "before"),
        ("Image 2 shows a nodule", ""),
        ("A nodule is seen in image-1", "before"),
        ("A nodule is seen in the prior study", "before"),
        ("A nodule is seen on the current radiograph", ""),
        ("A nodule is larger than in the prior study", None),
        ("A nodule is seen in the prior study and in the current study", None),
        ("A nodule is seen", None),
    ],
)
def test_a_box_lies_in_the_study_that_its_sentence_names_and_else_nowhere(sentence, image):
    answer = read(f"{sentence}: {BOX}", two_studies())
    regions = [region for claim in answer.claims for region in claim.regions]
    assert [region.image_name for region in regions] == ([] if image is None else [image])
    if image is None:
        problem = "The answer does not state in which of the 2 images the box is."
        assert problem in answer.claims[0].problems
    assert answer.image_names == ("before", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.qwen25(tmp_path_factory.mktemp("qwen2.5-vl"))


def test_a_box_that_a_qwen_writes_for_image_2_lies_in_image_2_only(folder):
    backend = loaded(folder, 200)
    force(backend, 'In image 2: [{"bbox_2d": [7, 3, 21, 17], "label": "nodule"}]')
    question = two_studies()
    _, answer = ask(backend, question)
    (region,) = [region for claim in answer.claims for region in claim.regions]
    assert region.image_name == question.pictures[1].image_name == ""
    force(backend, 'In image 1: [{"bbox_2d": [7, 3, 21, 17], "label": "nodule"}]')
    _, answer = ask(backend, question)
    (region,) = [region for claim in answer.claims for region in claim.regions]
    assert region.image_name == "before"


def follow_up():
    first, second = two_studies(index=0), two_studies("And here?", index=2)
    turn = ChatTurn(first.text, "No.", first.pictures, first.captions)
    return replace(second, earlier=(turn,))


def test_the_second_question_has_the_pictures_of_the_first_before_its_own():
    assert [part for part in texts(follow_up(), QWEN) if part != "PICTURE"] == [
        "Picture 1: prior study, axial slice 0 of 3",
        "Picture 2: current study, axial slice 0 of 3", "Has it grown?", "No.",
        "Picture 3: prior study, axial slice 2 of 3",
        "Picture 4: current study, axial slice 2 of 3", "And here?",
    ]  # fmt: skip
    shorter, note = fewer_pictures(follow_up(), 3)
    assert [len(turn.pictures) for turn in shorter.earlier] == [0]
    assert len(shorter.pictures) == 1
    assert note.startswith("3 of 4 images were left out: prior study, axial slice 0 of 3")


def test_the_second_turn_of_a_qwen_still_has_the_pictures_of_the_first(folder):
    backend = loaded(folder)
    first, second = (
        build_inputs(backend._loaded, backend._answered_as, question, 24).tensors
        for question in (two_studies(index=0), follow_up())
    )
    assert (len(first["image_grid_thw"]), len(second["image_grid_thw"])) == (2, 4)
    patches = len(first["pixel_values"])
    assert_array_equal(second["pixel_values"][:patches], first["pixel_values"])


def test_a_context_that_is_too_short_drops_the_pictures_of_the_first_question(folder, monkeypatch):
    backend = loaded(folder)
    text = backend._loaded.model.config.get_text_config()
    _, answer = ask(backend, follow_up())
    assert not answer.notes or "left out" not in " ".join(answer.notes)
    alone = two_studies("And here?", index=2)
    whole = build_inputs(backend._loaded, backend._answered_as, follow_up(), 24).length
    own = build_inputs(
        backend._loaded, backend._answered_as,
        replace(alone, earlier=(ChatTurn("Has it grown?", "No."),)), 24,
    ).length  # fmt: skip
    monkeypatch.setattr(text, "max_position_embeddings", (whole + own) // 2 + 24)
    inputs = build_inputs(backend._loaded, backend._answered_as, follow_up(), 24)
    assert 0 < inputs.dropped <= 2
    assert len(inputs.question.pictures) == 2
    assert "left out: prior study, axial slice 0 of 3" in inputs.notes[0]
