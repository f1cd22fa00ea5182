"""MedVision: the size of a pixel, as the model sees it, goes with each question.

The sentence is that of the authors (YongchengYAO/MedVision, ``medvision_utils.py``,
``create_doc_to_text_TumorLesionSize``): the size of a pixel of the file divided by the ratio of
the size that the processor makes to that of the file.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models.catalog import answering_row, rows
from napari_medvlm.backends.openai_server.images import framed_for
from napari_medvlm.backends.openai_server.request import request_of
from napari_medvlm.backends.vlm.chat_messages import messages
from napari_medvlm.backends.vlm.prompt_inputs import build_inputs
from napari_medvlm.data.answer import Question
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window
from tests.backends import tiny_models as tiny
from tests.backends.vlm.conversations import loaded

NAME = "YongchengYAO/MedVision__SFT-m__qwen25vl-7b__TL"
ROW = answering_row(NAME, "qwen2_5_vl")
VOLUME = Volume(np.zeros((2, 56, 84), np.float32), np.diag([3.0, 0.75, 0.75, 1.0]))
PICTURE = picture_of(VOLUME, SliceRef(0, 0), (Window(0, 1),))
TASK = "Estimate the major and minor axis lengths of the ellipse enclosing the tumor."
SENTENCE = (
    "Additional information:\nThe pixel size for this image is {} mm (width) x {} mm (height)."
)


def last_text(frames, row=ROW, pictures=(PICTURE,)):
    chat = messages(Question(TASK, pictures=pictures), row, functions=False, frames=frames)
    return chat[-1].parts[-1]


@pytest.mark.parametrize(
    ("frame", "width", "height"),
    [
        (framed(PICTURE.pixels, 0), "0.750", "0.750"),
        (Framed(PICTURE.pixels, seen=(112, 252)), "0.250", "0.375"),
        (framed(PICTURE.pixels, 168), "0.375", "0.375"),
    ],
    ids=["as it is", "resized by the processor", "in a square"],
)
def test_the_size_is_that_of_a_pixel_that_the_model_sees(frame, width, height):
    assert last_text([frame]) == SENTENCE.format(width, height)


def test_a_picture_of_thick_slices_and_a_part_of_a_slice_have_pixels_of_the_smaller_side():
    coronal = picture_of(VOLUME, SliceRef(1, 3), (Window(0, 1),))
    part = picture_of(VOLUME, SliceRef(0, 0), (Window(0, 1),), ((10, 30), (4, 44)))
    assert coronal.size == (8, 84)
    assert [image.pixel_mm for image in (coronal, part)] == [(0.75, 0.75)] * 2


def test_each_of_several_pictures_has_its_own_line():
    frames = [framed(PICTURE.pixels, 0), framed(PICTURE.pixels, 168)]
    text = last_text(frames, pictures=(PICTURE, PICTURE))
    first, second = SENTENCE.format("0.750", "0.750"), SENTENCE.format("0.375", "0.375")
    assert text == f"{ROW.numbered(1)}: {first}\n{ROW.numbered(2)}: {second}"


def test_only_the_models_of_medvision_are_sent_sizes():
    assert [row.title for row in rows() if row.pixel_size] == ["MedVision (Qwen2.5-VL)"]
    other = answering_row("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl")
    assert last_text([framed(PICTURE.pixels, 0)], other) == TASK


def test_a_model_of_transformers_gets_the_size_of_what_its_processor_makes(tmp_path):
    backend = loaded(tiny.qwen25(tmp_path / "MedVision__SFT-m__qwen25vl-7b__TL"))
    assert backend._answered_as is ROW
    volume = Volume(np.zeros((1, 63, 77), np.float32), np.diag([3.0, 0.75, 0.75, 1.0]))
    image = picture_of(volume, SliceRef(0, 0), (Window(0, 1),))
    inputs = build_inputs(backend._loaded, ROW, Question(TASK, pictures=(image,)), 8)
    _, rows_, columns = inputs.tensors["image_grid_thw"][0].tolist()
    patch = backend._loaded.processor.image_processor.patch_size
    width, height = 77 * 0.75 / (columns * patch), 63 * 0.75 / (rows_ * patch)
    assert width != 0.75
    assert SENTENCE.format(f"{width:.3f}", f"{height:.3f}") in inputs.text


def test_a_server_gets_the_size_of_the_picture_as_it_is_sent():
    body = request_of(Question(TASK, pictures=(PICTURE,)), ROW, "medvision-tl")
    height, width = framed_for(PICTURE, ROW).size
    assert (width % 28, height % 28) == (0, 0)
    expected = SENTENCE.format(f"{84 * 0.75 / width:.3f}", f"{56 * 0.75 / height:.3f}")
    assert body["messages"][-1]["content"][-1]["text"] == expected
