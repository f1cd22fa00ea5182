"""A question as messages: what is said of pictures, kinds of answers, tools and steps."""

from __future__ import annotations

import pytest

from napari_medvlm.backends.models.catalog import ANY, answering_row, rows, served_row
from napari_medvlm.backends.vlm.chat_messages import fewer_pictures, messages, pictures_of
from napari_medvlm.backends.vlm.text_tools import called, calls_in, written
from napari_medvlm.data.answer import AnswerKind, ChatTurn, Question
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound, ToolSpec
from tests.backends.detection.queries import picture, volume_of

QWEN = answering_row("some/model", "qwen3_vl")
TOOL = ToolSpec(
    "zoom", "Looks again.",
    {
        "type": "object", "required": ["region"],
        "properties": {
            "region": {"type": "string"}, "times": {"type": "integer"},
            "plane": {"type": "string", "enum": ["axial", "coronal"]},
        },
    },
)  # fmt: skip


def shown(count):
    return tuple(picture(*volume_of("portrait")) for _ in range(count))


def chat_texts(question, functions=False, row=QWEN):
    return messages(question, row, functions=functions)


def test_pictures_stand_behind_their_captions_and_before_the_question():
    question = Question(
        "Is it dark?", pictures=shown(2), captions=("slice 1 of 9", "slice 4 of 9"),
        context="Cough.",
    )  # fmt: skip
    system, user = chat_texts(question)
    texts = ["PICTURE" if isinstance(part, SliceImage) else part for part in user.parts]
    assert texts == [
        "Picture 1: slice 1 of 9", "PICTURE", "Picture 2: slice 4 of 9", "PICTURE",
        "What is known of the patient:\nCough.", "Is it dark?",
    ]  # fmt: skip
    assert (system.role, user.role) == ("system", "user")
    assert "2 pictures of a medical image" in system.text
    assert "which image" in system.text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (AnswerKind.OPEN, "plain sentences"),
        (AnswerKind.CHOICE, "letter"),
        (AnswerKind.YES_NO, "yes or no"),
        (AnswerKind.COUNT, "number"),
        (AnswerKind.REPORT, "IMPRESSION:"),
    ],
)
def test_each_kind_of_answer_is_asked_for(kind, words):
    system, *_ = chat_texts(Question("?", kind=kind, options=("a", "b")))
    assert words in system.text
    assert "shown" not in system.text


def test_options_have_letters():
    *_, user = chat_texts(Question("Which?", kind=AnswerKind.CHOICE, options=("nodule", "cyst")))
    assert user.text == "Which?\nA) nodule\nB) cyst"


def test_the_conversation_before_comes_first_and_without_pictures():
    earlier = (ChatTurn("What is it?", "A brain."), ChatTurn("Whose?", "I cannot say."))
    chat = chat_texts(Question("Is it dark?", earlier=earlier, pictures=shown(1)))
    assert [m.role for m in chat] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [m.text for m in chat[1:5]] == ["What is it?", "A brain.", "Whose?", "I cannot say."]


def test_boxes_are_asked_for_in_the_models_own_grammar_and_of_others_not_at_all():
    question = Question("Where?", pictures=shown(1))
    assert '"bbox_2d"' in chat_texts(question)[0].text
    other = answering_row("some/model", "blip-2")
    assert other.kinds == (ANY,)
    assert "box" not in chat_texts(question, row=other)[0].text


def test_what_the_authors_begin_with_comes_first():
    row = answering_row("google/medgemma-1.5-4b-it", "gemma3")
    assert chat_texts(Question("?"), row=row)[0].text.startswith("You are an expert radiologist.")
    assert row.windows == ((-1024, 1024), (-135, 215), (0, 80))


def rounds():
    good = ToolResult(ToolCall("zoom", {"region": "left"}, "c1"), "Here it is.", pictures=shown(1))
    bad = ToolResult(ToolCall("zoom", {}, "c2"), "zoom needs region.", failed=True)
    return (ToolRound("<think>hm</think>I look.", (good, bad)),)


def test_tool_rounds_are_sent_as_functions_to_models_that_support_them():
    question = Question("?", pictures=shown(1), tools=(TOOL,), steps=rounds())
    system, _, assistant, first, second, user = chat_texts(question, functions=True)
    assert "tool" not in system.text
    assert assistant.parts == ("I look.",)
    assert [call.id for call in assistant.calls] == ["c1", "c2"]
    assert [(m.role, m.call_id, m.text) for m in (first, second)] == [
        ("tool", "c1", "Here it is."),
        ("tool", "c2", "failed: zoom needs region."),
    ]
    assert user.parts[0] == "Picture 2: from zoom"


def test_rounds_go_as_text_to_the_others():
    question = Question("?", pictures=shown(1), tools=(TOOL,), steps=rounds())
    system, _, assistant, user = chat_texts(question)
    assert "- zoom: Looks again." in system.text
    assert assistant.text == (
        'I look.\n<tool>{"name": "zoom", "arguments": {"region": "left"}}</tool>\n'
        '<tool>{"name": "zoom", "arguments": {}}</tool>'
    )
    assert not assistant.calls
    assert user.parts[0] == (
        "<result>Here it is.</result>\n<result>failed: zoom needs region.</result>"
    )
    assert user.parts[1] == "Picture 2: from zoom"


@pytest.mark.parametrize("dropped", [1, 2, 3])
def test_pictures_are_left_out_oldest_first_and_named(dropped):
    question = Question(
        "?", pictures=shown(2), captions=("slice 1", ""), tools=(TOOL,), steps=rounds()
    )
    shortened, note = fewer_pictures(question, dropped)
    assert pictures_of(shortened) == pictures_of(question)[dropped:]
    names = ["slice 1", "image 2", "from zoom"][:dropped]
    assert note == f"{dropped} of 3 images were left out: {', '.join(names)}."


def test_a_call_is_read_as_it_is_written():
    call = ToolCall("zoom", {"region": "left", "times": 2})
    assert calls_in(f"I look.\n{written(call)}", (TOOL,)) == ((call,), "I look.")
    qwen = (
        '<tool_call>\n{"name": "zoom", "arguments": {"region": "left", "times": 2}}\n</tool_call>'
    )
    assert calls_in(qwen, (TOOL,)) == ((call,), "")


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("zoom", {"region": "left"}, ""),
        ("zoom", '{"region": "left"}', ""),
        ("zoom", "", "needs the argument 'region'"),
        ("zoom", '{"region": ', "not JSON"),
        ("zoom", "[1]", "not an object"),
        ("zoom", {}, "needs the argument 'region'"),
        ("zoom", {"region": 3}, "must be of type string"),
        ("zoom", {"region": "left", "times": True}, "must be of type integer"),
        ("zoom", {"region": "left", "plane": "oblique"}, "one of axial, coronal"),
        (
            "zoom",
            {"region": "left", "speed": 2},
            "no argument 'speed'; it has region, times, plane",
        ),
        ("fly", {}, "There are: zoom"),
    ],
)
def test_a_tool_call_with_wrong_arguments_is_reported_with_its_reason(name, arguments, problem):
    call = called(name, arguments, (TOOL,), "c7")
    assert problem in call.problem
    assert bool(call.problem) == bool(problem)
    assert (call.name, call.id) == (name, "c7")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<tool>{bad</tool>", "not JSON"),
        ('<tool>{"arguments": {}}</tool>', "no name"),
        ("<tool>[]</tool>", "no name"),
        ('<tool>{"name": "zoom", "arguments": {"region": "l', "not JSON"),
    ],
)
def test_an_unreadable_tool_call_in_text_is_reported_with_its_reason(text, problem):
    ((call,), rest) = calls_in(text, (TOOL,))
    assert problem in call.problem
    assert rest == ""


@pytest.mark.parametrize(
    ("served", "title"),
    [
        ("qwen2.5vl:7b", "Qwen2.5-VL"),
        ("medgemma:4b", "MedGemma 1.5"),
        ("google/gemma-3-4b-it", "Gemma 3"),
        ("llava:13b", "LLaVA, LLaVA-NeXT, LLaVA-OneVision"),
        ("SmolVLM2-2.2B-Instruct-Q8_0.gguf", "SmolVLM, Idefics3"),
        ("a-model", "Another image-text model"),
    ],
)
def test_a_served_model_is_known_by_its_name(served, title):
    assert served_row(served).title == title


def test_the_row_for_any_model_is_the_last():
    assert [row.kinds == (ANY,) for row in rows()].index(True) == len(rows()) - 1
