"""What models write becomes answers: sentences with their boxes, and nothing is guessed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_medvlm.backends.box_formats import GRAMMARS, PixelBox, write
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import answering_row
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.backends.vlm.parse_claims import CitedImages
from napari_medvlm.backends.vlm.reasoning import Stream, split_reasoning
from napari_medvlm.data.answer import AnswerKind, Question
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolSpec
from tests.backends.detection.queries import NAMES, in_picture, picture, volume_of

QWEN = answering_row("some/model", "qwen3_vl")
LLAVA = answering_row("some/model", "llava_next")
TOOL = ToolSpec("zoom", "Looks again.", {"type": "object", "properties": {}})


def shown(name="portrait", caption="", square=0):
    slice_image = picture(*volume_of(name))
    return CitedImages(slice_image, framed(slice_image.pixels, square), caption)


ONE_IMAGE = (shown(),)
TWO = (shown("portrait", "slice 12 of 181"), shown("landscape", "slice 45 of 181"))


def read(text, row=QWEN, pictures=ONE_IMAGE, **more):
    question = Question("What is it?", pictures=tuple(s.picture for s in pictures), **more)
    return answer_of(ModelOutput(text), question, row, pictures)


def problems_of(answer):
    return [(claim.text, len(claim.regions), len(claim.problems)) for claim in answer.claims]


def test_each_box_belongs_to_its_sentence():
    answer = read(
        'The left lung is dark [{"bbox_2d": [0, 0, 500, 500], "label": "lung"}]. '
        "The heart is fine. "
        'A cyst: {"bbox_2d": [100, 100, 200, 200], "label": "cyst"}'
    )
    assert problems_of(answer) == [("The left lung is dark.", 1, 0), ("The heart is fine.", 0, 0),
                            ("A cyst:", 1, 0)]  # fmt: skip
    assert answer.text == "The left lung is dark. The heart is fine. A cyst:"
    assert [claim.regions[0].name for claim in answer.claims if claim.regions] == ["lung", "cyst"]
    assert {claim.source for claim in answer.claims} == {"Qwen3-VL"}


def test_a_malformed_box_is_a_problem_beside_its_sentence_and_never_drawn():
    answer = read(
        'Dark [{"bbox_2d": [0, 0, 500], "label": "lung"}]. Wide [{"bbox_2d": [0, 0, 1500, 9]}]. '
        'Cut [{"bbox_2d": [0, 0, 5'
    )
    assert problems_of(answer) == [("Dark.", 0, 1), ("Wide.", 0, 1), ("Cut", 0, 2)]
    assert answer.claims[0].problems == ("3 numbers instead of 4.",)


def test_a_list_of_boxes_is_a_claim_for_each():
    answer = read(
        "Here they are:\n```json\n[\n"
        '{"bbox_2d": [0, 0, 500, 500], "label": "left lung"},\n'
        '{"bbox_2d": [500, 0, 900, 500], "label": "right lung"},\n'
        '{"bbox_2d": [500, 0], "label": "heart"}\n]\n```'
    )
    assert problems_of(answer) == [
        ("Here they are:", 0, 0),
        ("left lung", 1, 1),
        ("right lung", 1, 0),
    ]


def test_a_box_behind_the_stop_of_a_sentence_belongs_to_it():
    answer = read("It is dark. [0.1, 0.2, 0.3, 0.4] It is wide.", LLAVA)
    assert problems_of(answer) == [("It is dark.", 1, 0), ("It is wide.", 0, 0)]


@pytest.mark.parametrize(
    ("sentence", "index"),
    [
        ("In image 2 it is dark [0, 0, 0.5, 0.5].", 1),
        ("Picture 1: dark [0, 0, 0.5, 0.5].", 0),
        ("On slice 45 it is dark [0, 0, 0.5, 0.5].", 1),
        ("It is dark [0, 0, 0.5, 0.5].", None),
        ("In images 1 and 2 [0, 0, 0.5, 0.5].", None),
        ("In image 1 and in image 2 [0, 0, 0.5, 0.5].", None),
        ("In image 7 it is dark [0, 0, 0.5, 0.5].", None),
    ],
)
def test_a_box_lies_in_the_picture_that_its_sentence_names(sentence, index):
    claim = read(sentence, LLAVA, TWO).claims[0]
    if index is None:
        assert not claim.regions
        assert claim.problems == ("The answer does not state in which of the 2 images the box is.",)
    else:
        assert [region.slice for region in claim.regions] == [TWO[index].picture.slice]
        height, width = TWO[index].picture.size
        in_box = in_picture(claim.regions[0], TWO[index].picture)
        assert_allclose(in_box, [0, 0, width / 2, height / 2], atol=1e-6)
        assert not claim.problems


def test_the_label_of_a_box_without_a_picture_is_stored():
    text = 'It is large.\n[{"bbox_2d": [140, 56, 280, 196], "label": "kidney"}]'
    assert read(text, QWEN, TWO).claims[1].text == "kidney"


def test_a_box_without_a_picture_is_a_problem():
    claim = read("It is dark [0, 0, 0.5, 0.5].", LLAVA, ()).claims[0]
    assert claim.problems == ("There is a box, but no image was sent.",)


BOXES = [g for g in GRAMMARS.values() if g.holds == "boxes" and g.name not in ("kosmos2", "gemex")]


@pytest.mark.parametrize("grammar", BOXES, ids=lambda grammar: grammar.name)
@given(edges=st.lists(st.integers(4, 28), min_size=4, max_size=4), name=st.sampled_from(NAMES))
@settings(max_examples=12, deadline=None)
def test_boxes_in_any_grammar_land_where_they_were_seen_on_any_slice(grammar, edges, name):
    x0, x1 = sorted(edges[:2])
    y0, y1 = sorted(edges[2:])
    single = shown(name)
    row = QWEN.model_copy(update={"grammar": grammar.name})
    box = PixelBox("cyst", x0, y0, x1 + 2, y1 + 2)
    text = f"A cyst is here {write([box], grammar.name, single.picture.size)}. All else is fine."
    answer = read(text, row, (single,))
    (region,) = answer.claims[0].regions
    step = max(single.picture.size) / (grammar.scale or max(single.picture.size)) + 1e-3
    assert_allclose(in_picture(region, single.picture), [x0, y0, x1 + 2, y1 + 2], atol=step)
    volume, slice_ref = volume_of(name)
    start, stop = region.box.bounds(volume.grid)
    assert (start[slice_ref.axis], stop[slice_ref.axis]) == (slice_ref.index, slice_ref.index + 1)
    assert answer.claims[-1].text == "All else is fine."
    assert not answer.claims[-1].regions
    for sign in ("bbox", "<", "[", "|"):
        assert sign not in answer.claims[0].text


class Halves(SliceImage):
    """A picture whose right half shows the next slice; a box across both is on neither."""

    def box(self, bounds):
        x0, y0, x1, y1 = bounds
        middle = self.size[1] / 2
        if x0 < middle < x1:
            return None
        start, stop = np.zeros(3), np.array(self.grid.shape, float)
        start[self.slice.axis] = self.slice.index + (x0 >= middle)
        stop[self.slice.axis] = start[self.slice.axis] + 1
        return Box.at_index(self.grid, start, stop)


def test_boxes_in_a_picture_of_several_slices_lie_on_theirs():
    single = picture(*volume_of("sagittal and oblique"))
    two = Halves(
        single.pixels, single.grid, single.slice, single.rows, single.columns, single.flipped
    )
    text = "Dark [0, 0, 0.4, 1]. Wide [0.6, 0, 1, 1]. Both [0.2, 0, 0.8, 1]."
    dark, wide, claim_of_both = read(text, LLAVA, (CitedImages(two, framed(two.pixels, 0)),)).claims
    assert dark.regions[0].slice == single.slice
    assert wide.regions[0].slice == SliceRef(single.slice.axis, single.slice.index + 1)
    assert not claim_of_both.regions
    assert claim_of_both.problems == ("1 of 1 boxes lie on no one slice.",)


def test_boxes_in_a_framed_picture_come_back():
    single = shown("landscape", square=96)
    answer = read("It is dark [0.25, 0.375, 0.75, 0.625].", LLAVA, (single,))
    (region,) = answer.claims[0].regions
    height, width = single.picture.size
    wanted = [
        0.25 * width,
        0.5 * height - 0.125 * width,
        0.75 * width,
        0.5 * height + 0.125 * width,
    ]
    assert_allclose(in_picture(region, single.picture), wanted, atol=0.01)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Three nodules [0, 0, 0.5, 0.5] and [0.5, 0, 1, 1].", "'Three nodules', and 2 boxes were"),
        ("Two cysts are here [0, 0, 0.5, 0.5].", "'Two cysts', and 1 box was"),
        ("There are 2 cysts. One [0, 0, 0.5, 0.5]. It is dark.", "'2 cysts', and 1 box was"),
        ("Two cysts [0, 0, 0.5, 0.5] and [0.5, 0, 1, 1].", None),
        ("Two cysts. The heart is fine.", None),
        ("A 2 cm mass [0, 0, 0.5, 0.5].", None),
    ],
)
def test_a_number_that_is_not_that_of_the_boxes_is_reported(text, note):
    notes = read(text, LLAVA).notes
    assert [f"The text says {note} drawn."] == list(notes) if note else not notes


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>It may be.</think>Yes.", "It may be.", "Yes."),
        ("<thinking>It may be.</thinking>\nYes.", "It may be.", "Yes."),
        ("<unused94>thought\nIt may be.<unused95>Yes.", "It may be.", "Yes."),
        ("It may be.</think>\n\nYes.", "It may be.", "Yes."),
        ("<think>It may be.", "It may be.", ""),
        ("<think></think>Yes.", "", "Yes."),
        ("<think>It may be.</think><answer>Yes.</answer>", "It may be.", "Yes."),
        ("It may be. <answer>Yes.", "It may be.", "Yes."),
        ("It may be.\n**Final Answer:** Yes.", "It may be.", "Yes."),
        ("Final Answer:", "", "Final Answer:"),
        ("<think>a</think>Yes.<think>b</think> No.", "a\n\nb", "Yes. No."),
        ("Yes.", "", "Yes."),
    ],
)
def test_thoughts_are_reported_from_the_answer(text, thinking, answer):
    assert split_reasoning(text) == (thinking, answer)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>It may be.</think>\nYes <b> it is.", "It may be.", "Yes <b> it is."),
        ("Yes.<tool>{}</tool>", "", "Yes."),
        ("<think>a</think><answer>Yes</answer>", "a", "Yes"),
        ("a < b <thin", "", "a < b <thin"),
        ("<think>never closed", "never closed", ""),
    ],
)
def test_a_stream_shows_the_answer_and_holds_the_thoughts(text, thinking, answer, size):
    stream = Stream(hidden=(("<tool>", "</tool>"),))
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*pieces, stream.end()]) == answer
    assert stream.thinking == thinking
    assert stream.text == text


def test_a_stream_that_begins_in_a_thought():
    stream = Stream(inside=True)
    assert stream.is_thinking
    assert stream.feed("hm</think>Yes") + stream.end() == "Yes"
    assert stream.thinking == "hm"
    assert not stream.is_thinking


@pytest.mark.parametrize(
    ("kind", "text", "short", "choice"),
    [
        (AnswerKind.CHOICE, "**B**: it is dark.", "cyst", "cyst"),
        (AnswerKind.YES_NO, "No, it is dark. It is wide.", "No", "no"),
        (AnswerKind.COUNT, "2 cysts.", "2", "2"),
        (AnswerKind.OPEN, "It is dark.", "It is dark.", ""),
    ],
)
def test_each_kind_has_its_short_answer(kind, text, short, choice):
    answer = read(text, kind=kind, options=("nodule", "cyst"))
    assert (answer.text, answer.choice, answer.notes) == (short, choice, ())
    assert answer.claims
    assert answer.written == text


@pytest.mark.parametrize("kind", [AnswerKind.CHOICE, AnswerKind.YES_NO, AnswerKind.COUNT])
def test_an_answer_outside_the_options_is_reported_and_its_text_stored(kind):
    answer = read("It is dark.", kind=kind, options=("nodule", "cyst"))
    assert (answer.text, answer.choice) == ("It is dark.", "")
    assert len(answer.notes) == 1


def test_a_count_that_is_not_that_of_the_boxes_is_reported():
    answer = read("3. One [0, 0, 0.5, 0.5], one [0.5, 0, 1, 1].", LLAVA, kind=AnswerKind.COUNT)
    assert "The answer is 3, and the number of boxes drawn is 2." in answer.notes


def test_a_report_has_its_findings_as_claims():
    answer = read(
        "**FINDINGS:**\n- The heart is large [0, 0, 0.5, 0.5].\n- No effusion.\n\n"
        "**IMPRESSION:** Cardiomegaly.",
        LLAVA, kind=AnswerKind.REPORT,
    )  # fmt: skip
    assert [(c.text, c.section, len(c.regions)) for c in answer.claims] == [
        ("The heart is large.", "findings", 1), ("No effusion.", "findings", 0),
        ("Cardiomegaly.", "impression", 0),
    ]  # fmt: skip
    assert answer.text == (
        "FINDINGS:\n- The heart is large.\n- No effusion.\n\nIMPRESSION:\n- Cardiomegaly."
    )
    assert not answer.notes
    assert read("Clear.", kind=AnswerKind.REPORT).notes == ("The report has no impression.",)


@pytest.mark.parametrize("text", ["", "  \n", "<think>hm</think>", "<answer></answer>", "..."])
def test_an_empty_answer_is_reported(text):
    answer = read(text)
    assert not answer.answered
    assert answer.reason.startswith("The model wrote ")
    assert not answer.claims


def test_an_answer_cut_off_in_its_thoughts_has_a_remedy():
    written = ModelOutput("<think>hm", tokens=9, cut_off=True)
    answer = answer_of(written, Question("?"), QWEN, ())
    assert not answer.answered
    assert "Allow more tokens" in answer.reason
    assert answer.notes == ("The model was stopped after 9 tokens, before it finished.",)


def test_endless_repetition_is_cut_and_reported():
    answer = read("It is dark. " + "The heart is fine. " * 30)
    assert [claim.text for claim in answer.claims] == ["It is dark.", "The heart is fine."]
    assert answer.notes == ("The model repeated its last text 30 times; it is shown once.",)


def test_calls_come_without_an_answer_and_only_where_there_are_tools():
    text = 'I look.\n<tool>{"name": "zoom", "arguments": {}}</tool>'
    answer = read(text, tools=(TOOL,))
    assert [call.name for call in answer.calls] == ["zoom"]
    assert answer.text == "I look."
    assert not answer.claims
    assert not read(text).calls


@pytest.mark.parametrize(
    "piece",
    ["It is [0.1, 0.2, 0.3, 0.4]. ", "[[", "```json\n[", "<box>", "<think>", "- a\n", "<tool>"],
)
@pytest.mark.parametrize("row", [QWEN, LLAVA], ids=lambda row: row.title)
def test_long_answers_are_read_in_time(piece, row):
    start = time.thread_time()
    read((piece * 9000)[:20_000] + "end", row, TWO, tools=(TOOL,))
    assert time.thread_time() - start < 10


PIECES = st.sampled_from(
    ["<think>", "</think>", "<answer>", "<tool>", "</tool>", '{"name": "zoom"', "}", "[", "]", "[[",
     '{"bbox_2d": [1, 2, 3, 4]', "```json\n", "```", "<box>", "</box>", "<ref>", "[0.1, 0.2", ". ",
     "\n", "- ", "FINDINGS:", "Answer: B", "image 2 ", "three cysts ", "<loc_12>", "<unused94>",
     "\x00", "\u3002", "1e999", "[1e999, 0, 1, 1]", "9" * 30]
)  # fmt: skip


@given(
    text=st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join)),
    kind=st.sampled_from(list(AnswerKind)),
    grammar=st.sampled_from(["", *GRAMMARS]),
    count=st.sampled_from([0, 1, 2]),
)
@settings(max_examples=400, deadline=None)
def test_no_text_raises(text, kind, grammar, count):
    row = QWEN.model_copy(update={"grammar": grammar})
    answer = read(text, row, TWO[:count], kind=kind, options=("nodule", "cyst"), tools=(TOOL,))
    assert answer.written == text
    assert answer.choice in {"", "nodule", "cyst", "yes", "no"} or answer.choice.isdigit()
    for claim in answer.claims:
        for region in claim.regions:
            assert np.isfinite(region.box.corners()).all()
    stream = Stream()
    shown_text = "".join([*(stream.feed(c) for c in text), stream.end()])
    assert len(shown_text) <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "The nodule is at [100, 200, 400, 600].",
        "nodule: (100, 200), (400, 600)",
        "nodule(100,200),(400,600)",
        '{"nodule": [100, 200, 400, 600]}',
        "The nodule [[100, 200, 400, 600]] is round.",
        'Here: [{"bbox_2d": [0.1, 0.2, 0.4, 0.6], "label": "nodule"}]',
    ],
)
def test_a_box_in_another_format_or_scale_is_a_problem_and_not_drawn(text):
    (claim,) = read(text).claims
    assert claim.problems
    assert not claim.regions


@pytest.mark.parametrize("text", ["It measures 3 x 4 cm.", "Segments (2, 3) and C3, C4.", "[1]"])
def test_other_numbers_in_brackets_are_no_problem(text):
    assert not any(claim.problems for claim in read(text).claims)
