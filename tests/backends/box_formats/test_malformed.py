"""Text with boxes: what is malformed is refused with the reason, and the rest is parsed_boxes."""

import pytest

from napari_medvlm.backends.box_formats import GRAMMARS, Flaw, parse
from tests.backends.box_formats.box_texts import SIZE, edges, flaws, parsed_boxes

GOOD = (40, 75, 200, 225)


@pytest.mark.parametrize(
    ("grammar", "text", "flaw", "boxes"),
    [
        ("internvl", "<box>[[1, 2, 3], [100, 250, 500, 750]]</box>", Flaw.ODD_COUNT, [GOOD]),
        ("llava", "[0.1, 0.2, 0.3] and [0.1, 0.25, 0.5, 0.75]", Flaw.ODD_COUNT, [GOOD]),
        ("medvision", "0.1, 0.2, 0.3, 0.4, 0.5", Flaw.ODD_COUNT, []),
        ("minicpm", "<box>1 2 3</box>", Flaw.ODD_COUNT, []),
        ("qwen2", "<|box_start|>(1,2),(3)<|box_end|>", Flaw.ODD_COUNT, []),
        ("florence2", "a<loc_1><loc_2><loc_3>", Flaw.ODD_COUNT, []),
        ("paligemma", "<loc0001><loc0002> a", Flaw.ODD_COUNT, []),
        ("maira2", "<obj>a<box><x1><y2><x3></box></obj>", Flaw.ODD_COUNT, []),
        ("kosmos2", "<object><patch_index_0044></object>", Flaw.ODD_COUNT, []),
        ("molmo", '<points x1="1" y1="2" x2="3" alt="a">a</points>', Flaw.ODD_COUNT, []),
        ("corners3d", "(1, 2, 3), (4, 5)", Flaw.ODD_COUNT, []),
        ("internvl", "<box>[[1, 2, 3, 4], 5]</box>", Flaw.MIXED_DEPTH, []),
        ("llava", "[[[0.1, 0.2, 0.3, 0.4]], [0.1, 0.2, 0.3, 0.4]]", Flaw.MIXED_DEPTH, []),
        ("qwen3", '{"bbox_2d": [[1, 2, 3, 4], 5]}', Flaw.MIXED_DEPTH, []),
        ("qwen3", '[{"bbox_2d": [500, 250, 100, 750]}]', Flaw.REVERSED, []),
        ("medvision", "0.1, 0.9, 0.5, 0.2", Flaw.REVERSED, []),
        ("medrpg", "(0.5, 0.5, -0.1, 0.2)", Flaw.REVERSED, []),
        ("kosmos2", "<object><patch_index_0863><patch_index_0044></object>", Flaw.REVERSED, []),
        ("corners3d", "(9, 2, 3), (4, 5, 6)", Flaw.REVERSED, []),
        ("maira2", "<obj>a<box><x1><y2><x1><y3></box></obj>", Flaw.EMPTY, []),
        ("qwen3", '{"bbox_2d": [100, 250, 1001, 750]}', Flaw.OUT_OF_SCALE, []),
        ("medrega", "<box>[[1, 2, 3, 1000]]</box>", Flaw.OUT_OF_SCALE, []),
        ("qwen2.5", '{"bbox_2d": [10, 20, 390, 310]}', Flaw.OUT_OF_SCALE, []),
        ("llava", "[0.1, -0.2, 0.3, 0.4]", Flaw.OUT_OF_SCALE, []),
        ("florence2", "a<loc_1><loc_2><loc_3><loc_1000>", Flaw.OUT_OF_SCALE, []),
        ("paligemma", "<loc0001><loc0002><loc0003><loc1024> a", Flaw.OUT_OF_SCALE, []),
        ("kosmos2", "<object><patch_index_0044><patch_index_1024></object>", Flaw.OUT_OF_SCALE, []),
        ("corners3d", "(-1, 2, 3), (4, 5, 6)", Flaw.OUT_OF_SCALE, []),
        ("qwen3", '{"bbox_2d": [1, 2, 3, ' + "9" * 5000, Flaw.RUNAWAY, []),
        ("internvl", "<box>" + "[" * 5000, Flaw.RUNAWAY, []),
        ("llava", "[" + "0.9, " * 3000 + "0.9]", Flaw.RUNAWAY, []),
        ("internvl", "<box>[[100, 250, 500, 750]]</box>" * 3, Flaw.REPEATED, [GOOD]),
        ("qwen3", "The lungs are clear.", Flaw.PROSE, []),
        ("medvision", "", Flaw.PROSE, []),
        ("seg-token", "I cannot see a tumor.", Flaw.PROSE, []),
        ("gemex", "<answer> Yes [[1, 2, 30, 40]]", Flaw.PROSE, []),
        ("qwen3", "{'bbox_2d': [100, 250, 500, 750]}", Flaw.BROKEN, []),
        ("qwen3", '{"bbox_2d": [100, 250, 500, 750],}', Flaw.BROKEN, []),
        ("qwen3", "[100, 250, 500, 750]", Flaw.BROKEN, []),
        ("qwen3", '{"box": [100, 250, 500, 750]}', Flaw.BROKEN, []),
        ("qwen3", '{"bbox_2d": [1, 2, 3, 4], "bbox_2d": [5, 6, 7, 8]}', Flaw.BROKEN, []),
        ("qwen3", '{"bbox_2d": [1, 2, NaN, 4]}', Flaw.BROKEN, []),
        ("qwen3", '{"bbox_2d": [1, 2, 3, true]}', Flaw.BROKEN, []),
        ("qwen3", '{"bbox_2d": [1, 2, 3, 4], "label": 5}', Flaw.BROKEN, []),
        ("point-detect-count", '{"counts": 1.5, "label": "a"}', Flaw.BROKEN, []),
        ("minicpm", "<box>1, 2, 3, 4</box>", Flaw.BROKEN, []),
        ("internvl", "<box>[[1, 2, 3, x]]</box>", Flaw.BROKEN, []),
        ("internvl", "[[1, 2, 3, 4]]</box>", Flaw.BROKEN, []),
        ("maira2", "<obj>a<box><y1><x2><y3><x4></box></obj>", Flaw.BROKEN, []),
        ("florence2", "a<loc_1><loc_2><loc_3><loc_", Flaw.BROKEN, []),
        ("molmo", '<point x="1" y="a">a</point>', Flaw.BROKEN, []),
        ("molmo", '<point x="1" y="2"', Flaw.BROKEN, []),
        ("molmo", "<point x='1' y='2'>a</point>", Flaw.BROKEN, []),
        ("molmo", '<point x="1" y="2" alt="a < b">a</point>', Flaw.BROKEN, []),
        ("seg-token", "<p>a tumor</p> is there.", Flaw.BROKEN, []),
    ],
)
def test_malformed_entries_are_refused_and_the_others_read(grammar, text, flaw, boxes):
    parsed = parse(text, grammar, SIZE)
    assert flaw in {finding.flaw for finding in parsed.findings}
    assert [edges(box) for box in parsed.boxes] == boxes
    assert parsed.points == ()
    assert parsed.voxel_boxes == ()
    assert all(finding.message and len(finding.text) <= 200 for finding in parsed.findings)


def test_a_label_that_was_not_asked_for_is_refused():
    text = (
        "<ref>Nodule </ref><box>[[100,250,500,750]]</box><ref>heart</ref><box>[[1,2,30,40]]</box>"
    )
    assert parsed_boxes(text, "internvl", ["nodule", "mass"]) == [GOOD]
    assert flaws(text, "internvl", ["nodule", "mass"]) == {Flaw.UNASKED}
    assert flaws(text, "internvl", ["nodule", "Heart."]) == set()
    assert flaws("[0.1, 0.2, 0.3, 0.4]", "llava", ["nodule"]) == set()  # has no labels
    assert flaws("<p>heart</p>[SEG]", "seg-token", ["nodule"]) == {Flaw.UNASKED}


def test_a_finding_quotes_the_piece_and_the_numbers():
    (finding,) = parse('[{"bbox_2d": [1, 2, 1500, 4]}]', "qwen3", SIZE).findings
    assert finding.text == '{"bbox_2d": [1, 2, 1500, 4]}'
    assert "1500" in finding.message
    assert "1000" in finding.message
    box = "<box>[[100,250,500,750]]</box>"
    (finding,) = parse(box * 40, "internvl", SIZE).findings
    assert finding.text == "[[100,250,500,750]]"
    assert "40 times" in finding.message


def test_one_box_under_two_labels_is_no_repetition():
    text = "".join(f"<ref>{a}</ref><box>[[100,250,500,750]]</box>" for a in ("mass", "nodule"))
    assert parsed_boxes(text, "internvl") == [GOOD, GOOD]
    assert flaws(text, "internvl") == set()


def test_complete_objects_of_a_truncated_list_are_read():
    complete = '```json\n[{"bbox_2d": [100, 250, 500, 750], "label": "a"}, {"bbox_2d": [1, 2'
    assert parsed_boxes(complete, "qwen3") == [GOOD]
    assert flaws(complete, "qwen3") == {Flaw.BROKEN}
    assert flaws('[{"bbox_2d": [100, 250, 500, 750]}', "qwen3") == {Flaw.BROKEN}
    assert parsed_boxes("[[0.1, 0.25, 0.5, 0.75], [0.1, 0.2", "llava") == [GOOD]


def test_one_forgotten_quote_spoils_one_line():
    text = '[{"bbox_2d": [1, 2, 3, 4], "label: "a"},\n{"bbox_2d": [100, 250, 500, 750]}]'
    assert parsed_boxes(text, "qwen3") == [GOOD]
    assert flaws(text, "qwen3") == {Flaw.BROKEN}


def test_braces_and_brackets_in_labels_are_labels():
    text = '[{"bbox_2d": [100, 250, 500, 750], "label": "a {b} [c] \\" }"}]'
    assert parse(text, "qwen3", SIZE).boxes[0].label == 'a {b} [c] " }'
    assert flaws(text, "qwen3") == set()


@pytest.mark.parametrize(
    "text",
    [
        "<think>Is it {0}?</think>{1}",
        "Is it {0}?</think>\n{1}",  # opened by the question
        "<unused94>thought\n{0}<unused95>Here: {1} That is all.",
        "5\" wide, see below.\n```json\n{1}\n```\nIt isn't {{big}}.",
    ],
)
def test_thoughts_are_not_read_and_text_around_does_no_harm(text):
    thought, answer = '[{"bbox_2d": [1, 2, 3, 4]}]', '[{"bbox_2d": [100, 250, 500, 750]}]'
    assert parsed_boxes(text.format(thought, answer), "qwen3") == [GOOD]


def test_a_text_that_ends_in_its_reasoning_is_reported():
    assert flaws("<think>The heart is [{", "qwen3") == {Flaw.BROKEN}


def test_only_so_much_of_a_text_is_read():
    parsed = parse(" " * 200_000 + GRAMMARS["qwen3"].example, "qwen3", SIZE)
    assert parsed.findings[0].flaw is Flaw.RUNAWAY
    assert parsed.boxes == ()
    assert Flaw.RUNAWAY in flaws(GRAMMARS["llava"].example * 400, "llava")
