"""Objects of a question are written in the grammar of the model, where the model sees them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_medvlm.backends.box_formats import GRAMMARS, parse
from napari_medvlm.backends.box_formats.write import WITH_LABELS
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models.catalog import answering_row, rows
from napari_medvlm.backends.openai_server.images import framed_for
from napari_medvlm.backends.openai_server.request import request_of
from napari_medvlm.backends.vlm.chat_messages import fewer_pictures, messages
from napari_medvlm.backends.vlm.written_places import PlacesText, written_places
from napari_medvlm.data.answer import NamedPlaces, Question
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window

VOLUME = Volume(np.zeros((2, 96, 128), np.float32), np.diag([1.0, 1.0, 1.0, 1.0]))
PICTURES = tuple(picture_of(VOLUME, SliceRef(0, k), (Window(0, 1),)) for k in range(2))
HEIGHT, WIDTH = PICTURES[0].size
BOXES = [g for g in GRAMMARS.values() if g.holds == "boxes"]


def row_of(grammar):
    return answering_row("some/model", "qwen3_vl").model_copy(update={"grammar": grammar})


def frames_of(kind):
    return {
        "as it is": framed(PICTURES[0].pixels, 0),
        "in a square": framed(PICTURES[0].pixels, 448),
        "resized by the processor": Framed(PICTURES[0].pixels, seen=(84, 140)),
    }[kind]


@pytest.mark.parametrize("kind", ["as it is", "in a square", "resized by the processor"])
@pytest.mark.parametrize("grammar", BOXES, ids=lambda grammar: grammar.name)
@settings(max_examples=10, deadline=None)
@given(edges=st.tuples(st.integers(0, 90), st.integers(0, 60), st.integers(20, 38),
                       st.integers(20, 36)))  # fmt: skip
def test_boxes_are_read_back_within_a_step_of_the_grammar(kind, grammar, edges):
    x, y, width, height = edges
    box = (x, y, x + width, y + height)
    frame = frames_of(kind)
    text = written_places((NamedPlaces("cyst", ((0, box),)),), row_of(grammar.name), (frame,))
    line = text.splitlines()[-1] if grammar.name != "medvision" else text.rpartition(": ")[2]
    (found,) = parse(line, grammar.name, frame.size).boxes
    assert_allclose(
        frame.box_back((found.x0, found.y0, found.x1, found.y1)),
        box,
        atol=tolerance(frame, grammar),
    )
    assert found.label == ("cyst" if grammar.name in WITH_LABELS else "")


def tolerance(frame, grammar):
    """A step of the grammar in pixels of the picture."""
    scale = grammar.scale or max(frame.size)
    step = 10**-grammar.decimals / scale
    if grammar.name == "kosmos2":
        step *= 2.5  # corners are the centres of patches
    if grammar.order == "cxcywh":
        step *= 2
    shown = max(frame.pixels.shape[:2]) / min(frame.scale)
    return shown * step + 1e-6


def test_the_line_is_in_the_form_of_the_authors():
    places = (NamedPlaces("right mandible", ((0, (54, 34, 65, 45)),)),)
    medrega = next(row for row in rows() if row.title == "MedRegA")
    text = written_places(places, medrega, [framed(PICTURES[0].pixels, 0)])
    assert text == (
        "The region is represented in the form of bounding box, [x1, y1, x2, y2], with integers "
        "ranging from 0 to 999. These values correspond to the top left x, top left y, bottom "
        "right x, and bottom right y.\n<ref>right mandible</ref><box>[[421, 354, 507, 468]]</box>"
    )


def test_each_image_is_named_by_its_number_and_an_absent_object_by_its_name():
    places = (
        NamedPlaces("cyst", ((0, (0, 0, 64, 48)), (1, (64, 48, 128, 96)))),
        NamedPlaces("stent"),
    )
    text = written_places(places, row_of("llava"), [framed(p.pixels, 0) for p in PICTURES])
    assert text.splitlines()[1:] == [
        "cyst: Picture 1: [0.000, 0.000, 0.500, 0.500]; Picture 2: [0.500, 0.500, 1.000, 1.000]",
        "stent: in none of the pictures",
    ]


def test_a_model_without_a_grammar_gets_thousandths():
    places = (NamedPlaces("cyst", ((0, (0, 0, 64, 48)),)),)
    text = written_places(places, row_of("seg-token"), [framed(PICTURES[0].pixels, 0)])
    assert text.splitlines() == [
        "Places in the pictures (left, upper, right and lower edge in thousandths):",
        "cyst: [0, 0, 500, 500]",
    ]


def test_what_a_crop_leaves_out_is_not_written():
    frame = framed(PICTURES[0].pixels, 0, crop=True)  # the middle 96 of 128 columns
    inside, outside = (NamedPlaces(n, ((0, b),)) for n, b in (
        ("cyst", (16, 0, 64, 48)), ("stent", (0, 0, 12, 48))))  # fmt: skip
    text = written_places((inside, outside), row_of("llava"), [frame])
    assert text.splitlines()[1:] == [
        "cyst: [0.000, 0.000, 0.500, 0.500]", "stent: in none of the pictures",
    ]  # fmt: skip


def question(**more):
    places = (NamedPlaces("cyst", ((0, (0, 0, 64, 48)), (1, (64, 48, 128, 96)))),)
    return Question("How large is it?", pictures=PICTURES, places=places, **more)


def test_the_coordinates_follow_the_question_in_its_message():
    chat = messages(
        question(), row_of("qwen3"), functions=False, frames=[framed(p.pixels, 0) for p in PICTURES]
    )
    *_, text, places = chat[-1].parts
    assert text == "How large is it?"
    assert isinstance(places, PlacesText)
    assert '[{"bbox_2d": [0, 0, 500, 500], "label": "cyst"}]' in places


def test_places_of_images_that_are_left_out_go_with_them():
    shortened, _ = fewer_pictures(question(), 1)
    (named,) = shortened.places
    assert named.boxes == ((0, (64, 48, 128, 96)),)


def test_a_server_gets_pixels_of_the_picture_as_it_is_sent():
    row = row_of("qwen2.5")
    body = request_of(question(), row, "qwen2.5-vl")
    text = body["messages"][-1]["content"][-1]["text"]
    (box,) = parse(text.split("Picture 2:")[0], "qwen2.5", framed_for(PICTURES[0], row).size).boxes
    height, width = framed_for(PICTURES[0], row).size
    assert_allclose((box.x0, box.y0, box.x1, box.y1), (0, 0, width / 2, height / 2), atol=0.5)
