"""Sentences that published systems answer with, by their authors' code, are read right.

Columns of ``answer_sentences.tsv``: the system, the kind of answer, the grammar of its boxes, the
right value, the sentence with ``\\n`` for line ends and ``\\\\`` for backslashes, and the source of
its form. Boxes and points are fractions of the width and height, and a label.
"""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_medvlm.backends.box_formats import GRAMMARS, parse
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import answering_row
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages
from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.checks.checked_answer import stated
from napari_medvlm.data.answer import AnswerKind, Question
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.scoring import score_answer

OPTIONS = ("edema", "pneumonia", "nodule", "normal", "effusion", "fracture")
HEIGHT, WIDTH = 500, 1000
VOLUME = Volume(np.zeros((1, HEIGHT, WIDTH), np.float32), np.diag([-1.0, -1.0, 1.0, 1.0]))
PICTURE = picture_of(VOLUME, SliceRef(0, 0), (Window(0, 1),))
SHOWN = (CitedImages(PICTURE, framed(PICTURE.pixels, 0)),)


class Row(NamedTuple):
    system: str
    kind: str
    grammar: str
    right: str
    sentence: str
    source: str


def rows(*kinds):
    path = Path(__file__).with_name("answer_sentences.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        table = [Row(*line) for line in csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE)][1:]
    own = [row for row in table if row.kind.split()[0] in kinds]
    return [
        pytest.param(
            row._replace(sentence=row.sentence.replace("\\n", "\n").replace("\\\\", "\\")),
            id=f"{row.system}: {row.sentence[:40]}",
        )
        for row in own
    ]


def answered(row, kind, options=()):
    model = answering_row("some/model", "qwen3_vl").model_copy(update={"grammar": row.grammar})
    question = Question("?", kind=kind, options=options, pictures=(PICTURE,))
    return answer_of(ModelOutput(row.sentence), question, model, SHOWN), question


@pytest.mark.parametrize("row", rows("choice", "yes/no", "count"))
def test_the_choice_of_a_system_is_read(row):
    options = OPTIONS if row.kind == "choice" else ()
    answer, _ = answered(row, AnswerKind(row.kind), options)
    assert answer.choice == row.right


@pytest.mark.parametrize("row", rows("open"))
def test_an_answer_in_words_is_shown_and_compared_without_its_box(row):
    answer, _ = answered(row, AnswerKind.OPEN)
    item = Item(name="a", images=(), question="?", answer=row.right)
    assert row.right in answer.text
    assert "boxed" not in answer.text
    assert scored(item, answer).exact


@pytest.mark.parametrize("row", rows("confidence"))
def test_the_confidence_that_a_system_states_reaches_checks_and_evaluations(row):
    kind = AnswerKind.YES_NO if "yes" in row.sentence else AnswerKind.CHOICE
    answer, question = answered(row, kind, () if kind is AnswerKind.YES_NO else OPTIONS)
    item = Item(
        name="a", images=(), question="?", kind=kind, options=question.options,
        right=(0,), answer="yes",
    )  # fmt: skip
    assert stated(answer, question) == pytest.approx(float(row.right))
    assert scored(item, answer).confidence == pytest.approx(float(row.right))


@pytest.mark.parametrize("row", rows("values"))
def test_values_are_read_in_the_unit_of_the_question(row):
    answer, _ = answered(row, AnswerKind.OPEN)
    unit = row.kind.removeprefix("values").strip()
    right = tuple(float(number) for number in row.right.split())
    item = Item(
        name="a", images=(), question=f"What is it in {unit}?" if unit else "?",
        answer=row.right, values=right,
    )  # fmt: skip
    assert scored(item, answer).error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("row", rows("boxes", "points"))
def test_boxes_and_points_lie_where_the_system_means(row):
    written = split_reasoning(row.sentence).answer if "think" in row.sentence else row.sentence
    parsed = parse(written, row.grammar, (HEIGHT, WIDTH))
    shapes = parsed.points if row.kind == "points" else parsed.boxes
    right = [text.strip().split(maxsplit=2 if row.kind == "points" else 4)
             for text in row.right.split(";")]  # fmt: skip
    assert len(shapes) == len(right)
    for shape, expected in zip(shapes, right, strict=True):
        numbers = 2 if row.kind == "points" else 4
        edges = [
            float(Fraction(numerator) / Fraction(denominator)) * side
            for (numerator, denominator), side in zip(
                (share.split("/") for share in expected[:numbers]),
                (WIDTH, HEIGHT, WIDTH, HEIGHT), strict=False,
            )
        ]  # fmt: skip
        if GRAMMARS[row.grammar].origin == "lower":
            edges[1], edges[3] = HEIGHT - edges[3], HEIGHT - edges[1]
        own = (shape.x, shape.y) if numbers == 2 else (shape.x0, shape.y0, shape.x1, shape.y1)
        assert_allclose(own, edges, atol=1e-6)
        assert shape.label == " ".join(expected[numbers:])


def scored(item, answer):
    return score_answer(item, answer, VOLUME, 1.0)
