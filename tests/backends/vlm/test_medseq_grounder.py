"""MedSeq-Grounder: a Qwen2.5-VL that writes corners in pixels of the picture as sent.

The sentences are those of its training data (MedSG-Bench, ``train/Task8_mini.json``).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models.catalog import answering_row, row_for, served_row
from napari_medvlm.backends.openai_server.images import framed_for
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages
from napari_medvlm.data.answer import Question
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window

NAME = "MedSG-Bench/MedSeq-Grounder"
ROW = row_for("vlm", NAME, "qwen2_5_vl")
VOLUME = Volume(np.zeros((3, 336, 336), np.float32), np.diag([2.0, 1.0, 1.0, 1.0]))
PICTURES = tuple(picture_of(VOLUME, SliceRef(0, k), (Window(0, 1),)) for k in range(3))


def read(text, frames=None):
    frames = frames or [framed(picture.pixels, 0) for picture in PICTURES]
    shown = tuple(CitedImages(p, f) for p, f in zip(PICTURES, frames, strict=True))
    return answer_of(ModelOutput(text), Question("?", pictures=PICTURES), ROW, shown)


def box_of(answer, number):
    (region,) = answer.claims[0].regions
    assert region.slice == SliceRef(0, number)
    corners = PICTURES[number].pixel_of(region.box.corners())
    return [*corners.min(axis=0), *corners.max(axis=0)]


def test_it_is_a_qwen2_5_vl_in_every_list():
    assert ROW.grammar == "medseq"
    assert answering_row(NAME, "qwen2_5_vl") is ROW
    assert served_row("medsg-bench/medseq-grounder") is ROW
    assert answering_row("Qwen/Qwen2-VL-2B-Instruct", "qwen2_vl").title == "Qwen2-VL"


@pytest.mark.parametrize(
    ("text", "number", "box"),
    [
        ("It's in the third image. <|box_start|>(92,150),(164,224)<|box_end|>", 2,
         [92, 150, 164, 224]),
        ("It's in the second image. <|box_start|>(136,225),(152,254)<|box_end|>", 1,
         [136, 225, 152, 254]),
        ("It's in the first image. (213,142),(248,178)", 0, [213, 142, 248, 178]),
    ],
)  # fmt: skip
def test_a_box_lies_in_pixels_on_the_image_that_the_sentence_names(text, number, box):
    answer = read(text)
    assert_allclose(box_of(answer, number), box, atol=1e-4)
    assert "box_start" not in answer.text


def test_pixels_are_those_that_the_processor_made_of_the_picture():
    frames = [Framed(picture.pixels, seen=(672, 168)) for picture in PICTURES]
    answer = read("It's in the third image. <|box_start|>(46,300),(82,448)<|box_end|>", frames)
    assert_allclose(box_of(answer, 2), [92, 150, 164, 224], atol=1e-4)


def test_a_picture_for_a_server_has_a_size_that_the_processor_leaves_alone():
    sent = framed_for(PICTURES[0], ROW).pixels
    assert [side % 28 for side in sent.shape[:2]] == [0, 0]


def test_a_box_without_the_name_of_an_image_is_not_drawn():
    answer = read("<|box_start|>(92,150),(164,224)<|box_end|>")
    assert not answer.claims[0].regions
    assert answer.claims[0].problems == (
        "The answer does not state in which of the 3 images the box is.",
    )


def test_coordinates_past_the_picture_are_reported():
    answer = read("It's in the third image. <|box_start|>(92,150),(640,900)<|box_end|>")
    assert not answer.claims[0].regions
    assert "640 lies outside the scale from 0 to 336." in answer.claims[0].problems
