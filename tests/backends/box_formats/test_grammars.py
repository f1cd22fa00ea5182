"""Text with boxes: each family's own example, round trips, and what stands around the boxes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medvlm.backends.box_formats import (
    GRAMMARS,
    Flaw,
    MaskTokens,
    PixelBox,
    PixelPoint,
    VoxelBox,
    parse,
    write,
)
from tests.backends.box_formats.box_texts import SIZE, WRITABLE, edges, flaws, parsed_boxes

LABELLED = [
    "qwen2",
    "medseq",
    "qwen2.5",
    "qwen3",
    "internvl",
    "medrega",
    "minicpm",
    "florence2",
    "paligemma",
]
LABELLED += ["medseq", "maira2", "gemini", "kosmos2", "point-detect-count"]
GOOD = (40, 75, 200, 225)

EXAMPLES = {
    "qwen2": [("polyp", 40, 75, 200, 225)],
    "medseq": [("", 92, 150, 164, 224)],
    "qwen2.5": [("polyp", 20, 30, 120, 90)],
    "qwen3": [("polyp", 40, 75, 200, 225)],
    "internvl": [("nodule", 40, 75, 200, 225), ("nodule", 240, 3, 280, 15)],
    "medrega": [("left lung", 40.04, 75.075, 200.2, 225.225)],
    "minicpm": [("mass", 40, 75, 200, 225)],
    "llava": [("", 40, 75, 200, 225)],
    "gemex": [("", 22 / 224 * 400, 75, 200, 225)],
    "medvision": [("", 40, 75, 200, 225)],
    "medrpg": [("", 40, 75, 200, 225)],
    "cogvlm": [("", 40, 75, 200, 225)],
    "florence2": [("cardiomegaly", 40.2, 75.15, 200.2, 225.15)],
    "paligemma": [("nodule", 50, 75, 200, 225)],
    "maira2": [("Small left effusion.", 42, 61.5, 122, 121.5)],
    "gemini": [("heart", 40, 75, 200, 225)],
    "kosmos2": [("a nodule", 12.5 * 12.5, 1.5 * 9.375, 31.5 * 12.5, 26.5 * 9.375)],
    "molmo": [],
    "point-detect-count": [("polyp", 20, 30, 45, 50), ("polyp", 50, 52, 64, 70)],
    "seg-token": [],
    "corners3d": [],
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_example_of_the_table_is_read(name):
    parsed = parse(GRAMMARS[name].example, name, SIZE)
    assert parsed.findings == ()
    assert [box.label for box in parsed.boxes] == [row[0] for row in EXAMPLES[name]]
    for box, row in zip(parsed.boxes, EXAMPLES[name], strict=True):
        assert edges(box) == pytest.approx(row[1:], abs=0.01)


def test_points_masks_counts_and_corners_of_the_examples():
    molmo = parse(GRAMMARS["molmo"].example, "molmo", SIZE)
    assert molmo.points == (PixelPoint("polyp", pytest.approx(246.0), pytest.approx(121.8)),)
    counted = parse(GRAMMARS["point-detect-count"].example, "point-detect-count", SIZE)
    assert counted.count == 2
    assert counted.points == (PixelPoint("polyp", 30, 40), PixelPoint("polyp", 55, 60))
    mask = parse(GRAMMARS["seg-token"].example, "seg-token", SIZE)
    assert mask.masks == (MaskTokens("a liver tumor", (), None),)
    corners = parse(GRAMMARS["corners3d"].example, "corners3d", SIZE)
    assert corners.voxel_boxes == (VoxelBox("", (10, 20, 5), (60, 80, 25)),)


def test_an_unknown_grammar_names_the_known_ones():
    with pytest.raises(ValueError, match="'qwen'.*qwen2.5"):
        parse("", "qwen", SIZE)
    with pytest.raises(ValueError, match="points, not boxes"):
        write([], "molmo", SIZE)


def test_the_raw_text_is_stored_unchanged():
    text = "<think>x</think>" + GRAMMARS["qwen3"].example
    assert parse(text, "qwen3", SIZE).raw == text


# One bright rectangle, off centre, in a picture that is not square: 40-200 across, 30-90 down.
@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        ("gemini", '[{"box_2d": [100, 100, 300, 500], "label": "a"}]'),
        ("qwen3", '[{"bbox_2d": [100, 100, 500, 300], "label": "a"}]'),
        ("medvision", "0.1, 0.7, 0.5, 0.9"),
        ("medrpg", "(0.3, 0.2, 0.4, 0.2)"),
        ("llava", "[0.1, 0.1, 0.5, 0.3]"),
        ("paligemma", "<loc0102><loc0102><loc0307><loc0512> a"),
    ],
)
def test_axis_order_origin_and_centre(grammar, text):
    assert parsed_boxes(text, grammar) == [pytest.approx((40, 30, 200, 90), abs=0.2)]


def test_the_image_runs_from_nought_to_the_end_of_the_scale():
    for grammar, text in [
        ("medrega", "<box>[[0,0,999,999]]</box>"),
        ("qwen2", "<|box_start|>(0,0),(1000,1000)<|box_end|>"),
        ("qwen2.5", '{"bbox_2d": [0, 0, 400, 300]}'),
    ]:
        assert parsed_boxes(text, grammar) == [(0, 0, 400, 300)]
    assert parsed_boxes("[[000,000,999,999]]", "cogvlm") == [pytest.approx((0, 0, 399.6, 299.7))]


def test_a_centred_box_is_cut_at_the_image():
    assert parsed_boxes("(0.1, 0.5, 0.4, 0.2)", "medrpg") == [pytest.approx((0, 120, 120, 180))]


def steps(name):
    """Width and height of one step of the scale in pixels."""
    grammar = GRAMMARS[name]
    if grammar.scale is None:
        return 1.0, 1.0
    step = 10.0**-grammar.decimals / grammar.scale
    return SIZE[1] * step, SIZE[0] * step


@st.composite
def boxes(draw):
    x0, y0 = draw(st.floats(0, 300)), draw(st.floats(0, 200))
    width, height = draw(st.floats(40, 400)), draw(st.floats(40, 300))
    label = draw(st.text("abcdefgh XYZ", min_size=1, max_size=12).map(str.strip).filter(bool))
    return PixelBox(label, x0, y0, min(x0 + width, 400.0), min(y0 + height, 300.0))


@pytest.mark.parametrize("name", WRITABLE)
@settings(max_examples=40, deadline=None)
@given(
    written=st.lists(
        boxes(), min_size=1, max_size=4, unique_by=lambda box: (box.label, box.x0 // 40)
    )
)
def test_what_is_written_is_read_back(name, written):
    parsed = parse(write(written, name, SIZE), name, SIZE)
    assert {finding.flaw for finding in parsed.findings} <= {Flaw.REPEATED}
    dx, dy = (step * 1.001 + 1e-9 for step in steps(name))
    unread = list(written)
    for box in parsed.boxes:
        near = [
            other
            for other in written
            if (name not in LABELLED or other.label == box.label)
            and max(abs(other.x0 - box.x0), abs(other.x1 - box.x1)) <= dx
            and max(abs(other.y0 - box.y0), abs(other.y1 - box.y1)) <= dy
        ]
        assert near, box
        unread = [other for other in unread if other not in near]
    assert unread == []


@settings(max_examples=40, deadline=None)
@given(x=st.integers(0, 1000), y=st.integers(0, 1000))
def test_points_are_read_where_they_were_written(x, y):
    molmo = parse(f'<point x="{x / 10}" y="{y / 10}" alt="a">a</point>', "molmo", SIZE)
    assert molmo.points[0].x == pytest.approx(x * 0.4)
    assert molmo.points[0].y == pytest.approx(y * 0.3)
    gemini = parse(json.dumps([{"point": [y, x], "label": "a"}]), "gemini", SIZE)
    assert (gemini.points[0].x, gemini.points[0].y) == pytest.approx((x * 0.4, y * 0.3))


def test_nothing_written_is_an_answer_in_json():
    assert write([], "qwen3", SIZE) == "[]"
    assert parse("[]", "qwen3", SIZE).findings == ()
    assert parse("```json\n[ ]\n```", "gemini", SIZE).findings == ()


def test_boxes_in_the_middle_of_a_report_keep_their_labels():
    text = (
        "The <ref>left lung</ref><box>[[100, 250, 500, 750]]</box>: clear. <box>[[1,2,3,4]]</box>"
    )
    boxes = parse(text, "medrega", SIZE).boxes
    assert [box.label for box in boxes] == ["left lung", ""]


def test_boxes_that_follow_each_other_share_a_label():
    text = "<ref>cyst</ref><box>1 2 3 4</box><box>5 6 7 8</box>"
    assert [box.label for box in parse(text, "minicpm", SIZE).boxes] == ["cyst", "cyst"]
    first, second = "<loc_1><loc_2><loc_3><loc_4>", "<loc_5><loc_6><loc_7><loc_8>"
    boxes = parse(f"cyst{first}{second}mass{first}", "florence2", SIZE).boxes
    assert [box.label for box in boxes] == ["cyst", "cyst", "mass"]


def test_a_flat_list_between_tags_is_one_box():
    assert parsed_boxes("<box>[100, 250, 500, 750]</box>", "internvl") == [GOOD]


def test_cogvlm_parts_boxes_by_semicolons():
    assert parsed_boxes("A mass [[100,250,500,750;000,010,020,030]].", "cogvlm") == [
        GOOD,
        pytest.approx((0, 3, 8, 9)),
    ]


def test_maira_may_name_a_finding_without_a_box():
    boxes = "<box><x10><y20><x30><y40></box><box><x1><y2><x3><y4></box>"
    parsed = parse(f"<obj>No effusion.</obj><obj>Mass.{boxes}</obj>", "maira2", SIZE)
    assert [box.label for box in parsed.boxes] == ["Mass.", "Mass."]
    assert parsed.findings == ()


def test_kosmos_takes_whole_patches_in_one_row_and_many_boxes():
    text = (
        "<phrase>a</phrase><object><patch_index_0032><patch_index_0033>"
        "</delimiter_of_multi_objects/><patch_index_0000><patch_index_0033></object>"
    )
    assert parsed_boxes(text, "kosmos2") == [
        pytest.approx((0, 9.375, 25, 18.75)),
        pytest.approx((6.25, 4.6875, 18.75, 14.0625)),
    ]


def test_paligemma_masks_hold_their_box():
    codes = "".join(f"<seg{i:03d}>" for i in range(16))
    tokens = "<loc0256><loc0128><loc0768><loc0512>"
    parsed = parse(f"{tokens}{codes} nodule ; {tokens} mass", "paligemma", SIZE)
    assert parsed.masks == (
        MaskTokens("nodule", tuple(range(16)), PixelBox("nodule", 50, 75, 200, 225)),
    )
    assert parsed.boxes == (PixelBox("mass", 50, 75, 200, 225),)
    assert flaws(f"{tokens}{codes[8:]} nodule", "paligemma") == {Flaw.ODD_COUNT}
    assert flaws(f"{tokens}{codes.replace('015', '128')} nodule", "paligemma") == {
        Flaw.OUT_OF_SCALE
    }
    assert flaws(f"{codes} nodule", "paligemma") == {Flaw.ODD_COUNT}


def test_counts_of_several_labels_add_up():
    text = '[{"counts": 2, "label": "polyp"}, {"counts": 3, "label": "instrument"}]'
    assert parse(text, "point-detect-count", SIZE).count == 5
    none = parse('{"counts": 0, "point_2d": [], "label": "polyp"}', "point-detect-count", SIZE)
    assert (none.count, none.points, none.findings) == (0, (), ())


def test_molmo_names_many_points_at_once():
    parsed = parse(
        '<points x1="10.0" y1="20" x2="30" y2="40.5" alt="cells">cells</points>', "molmo", SIZE
    )
    assert [(point.label, point.x, point.y) for point in parsed.points] == [
        ("cells", 40, 60),
        ("cells", 120, pytest.approx(121.5)),
    ]


def test_molmo_takes_a_label_with_a_greater_than_sign():
    (point,) = parse('<point x="1" y="2" alt="a > 3 mm">a</point>', "molmo", SIZE).points
    assert point == PixelPoint("a > 3 mm", 4, 6)


def test_corners_stand_in_round_or_square_brackets():
    for text in ("[[1, 2, 3], [4, 5, 6]]", "from (1, 2, 3), (4, 5, 6)", "[1,2,3] [4,5,6]"):
        assert parse(text, "corners3d", SIZE).voxel_boxes == (VoxelBox("", (1, 2, 3), (4, 5, 6)),)
