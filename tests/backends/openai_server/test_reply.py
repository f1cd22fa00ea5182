"""Replies of servers whose texts are not what was asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_medvlm.backends.models.catalog import served_row
from napari_medvlm.backends.openai_server.reply import LOOKED_AT, Reply, is_other_model
from napari_medvlm.backends.openai_server.request import refused, request_of
from napari_medvlm.backends.openai_server.stream import Piece
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.data.answer import AnswerKind
from tests.backends.openai_server.requests import MEASURE, question


@pytest.mark.parametrize(
    ("asked", "answered", "is_other"),
    [
        ("qwen3-vl-8b", "/models/gemma-3-4b-it-Q4_K_M.gguf", True),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl-8b-instruct", False),
        ("qwen3-vl-8b", "C:\\models\\Qwen3-VL-8B-Q4_K_M.gguf", False),
        ("llava:latest", "llava", False),
        ("gpt-4o", "gpt-4o-2024-08-06", False),
        ("seer", "", False),
    ],
)
def test_a_model_of_another_name_is_noted(asked, answered, is_other):
    assert is_other_model(asked, answered) is is_other
    reply = Reply(question(), served_row(asked), asked)
    reply.feed(Piece("Normal.", finish="stop", model=answered))
    assert any("answered with the model" in note for note in reply.written(()).notes) is is_other


def test_a_call_that_repeats_itself_is_stopped():
    reply = Reply(question(tools=(MEASURE,)), served_row("any"))
    function = SimpleNamespace(name="measure", arguments="the left one and ")
    piece = Piece(calls=(SimpleNamespace(index=0, id="c1", function=function),))
    taken = 0
    while not reply.is_over and taken < 10_000:
        reply.feed(piece)
        taken += 1
    assert 17 * taken < LOOKED_AT
    assert "The model repeated itself and was stopped." in reply.written(()).notes


@pytest.mark.parametrize(
    ("name", "asked"),
    [("internvl3", True), ("qwen2-vl", True), ("qwen3-vl", False), ("medgemma-1.5", False)],
)
def test_special_tokens_are_asked_for_where_boxes_are_written_in_them(name, asked):
    request = request_of(question(), served_row(name), name)
    assert (request.get("extra_body") == {"skip_special_tokens": False}) is asked
    words = "Unrecognized request argument supplied: skip_special_tokens"
    assert refused(words, request) == ("extra_body" if asked else "")


def test_a_text_that_came_as_reasoning_only_names_the_parser_of_the_server():
    what = question(kind=AnswerKind.YES_NO)
    output = ModelOutput("", thinking="Yes, one can be seen.")
    answer = answer_of(output, what, served_row("any"), ())
    assert not answer.answered
    assert not answer.choice
    assert "reasoning parser" in answer.reason
