"""An answer in the picture, without a window."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.conversation import State, Turn
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.answer_layers import (
    AnswerLayers,
    caption,
    colors_of,
    look_at,
    numbered,
    show_slice,
    step_regions,
)
from napari_medvlm.layers.orientation import Plane, axis_across, name_axes, show_plane, visible_box
from tests.conftest import make_phantom

VOLUME, LEFT, RIGHT = make_phantom()
MASKED = Region.of_mask("left", Mask.of(LEFT), VOLUME.grid, None, "left")
BOXED = Region("right", Box.at_index(VOLUME, (7, 12, 27), (17, 28, 39)), name="right")
ANSWER = Answer(
    "Both are round.",
    (
        Claim("Both are round.", (MASKED, BOXED)),
        Claim("The left one is larger.", (MASKED,)),
        Claim("Nobody knows why."),
    ),
)
EXCHANGE = Turn(1, "What is round?", "scripted", state=State.ANSWERED, answer=ANSWER)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    show_plane(viewer, Plane.AXIAL)
    return viewer


@pytest.fixture
def layers(viewer):
    reported = []
    layers = AnswerLayers(viewer, VOLUME, reported.append)
    layers.reported = reported
    layers.show(EXCHANGE)
    yield layers
    layers.close()


def layer(viewer, role):
    found = [x for x in viewer.layers if x.metadata.get("medvlm", {}).get("role") == role]
    return found[0] if found else None


def test_a_place_that_several_sentences_name_is_drawn_once_with_all_numbers():
    assert [one.callout for one in numbered(ANSWER.claims, "x")] == ["1,2", "1"]
    first, second, third = colors_of(ANSWER.claims)
    assert len(set(first)) == 2
    assert second == first[:1]
    assert third == ()


def test_boxes_masks_and_numbers_are_layers_of_their_own(viewer, layers):
    boxes, numbers = layer(viewer, "found answer boxes"), layer(viewer, "found answer callouts")
    assert list(boxes.features["callout"]) == ["1,2", "1"]
    assert len(numbers.data) == 2
    for box, corner in zip(boxes.data, numbers.data, strict=True):
        assert_allclose(corner, box.min(axis=0))
    masks = layer(viewer, "found answer masks")
    assert np.count_nonzero(np.asarray(masks.data)) == LEFT.sum()


def test_a_number_stands_up_and_left_on_the_screen(viewer, layers):
    for plane in Plane:
        show_plane(viewer, plane)
        look_at(viewer, VOLUME, [BOXED])
        boxes, numbers = layer(viewer, "found answer boxes"), layer(viewer, "found answer callouts")
        corner = numbers.data_to_world(numbers.data[1])
        corners = np.array([boxes.data_to_world(at) for at in boxes.data[1]])
        down, right = viewer.dims.order[-2:]
        up = plane is not Plane.AXIAL  # superior is up
        edge = corners[:, down].max() if up else corners[:, down].min()
        assert corner[down] == pytest.approx(edge)
        assert corner[right] == pytest.approx(corners[:, right].min())


def test_the_regions_of_a_sentence_are_lit_and_gone_to(viewer, layers):
    viewer.dims.point = (0, 0, 0)
    layers.choose(1)
    boxes = layer(viewer, "found answer boxes")
    assert boxes.edge_width[0] > boxes.edge_width[1]
    assert_allclose(viewer.dims.point, MASKED.center_mm, atol=1.1)
    layers.choose(0)
    assert boxes.edge_width[0] == boxes.edge_width[1]
    layers.choose(None)
    assert layers.chosen is None


def test_selecting_a_region_states_the_sentence_that_is_about_least_else(viewer, layers):
    layer(viewer, "found answer boxes").selected_data = {0}
    layer(viewer, "found answer callouts").selected_data = {1}
    assert layers.reported == [1, 0]


def test_two_regions_are_seen_at_once_where_a_slice_spans_both(viewer):
    look_at(viewer, VOLUME, [MASKED, BOXED])
    for region in (MASKED, BOXED):
        low, high = region.bounds_mm[:, 0]
        assert low <= viewer.dims.point[0] <= high
    show_plane(viewer, Plane.SAGITTAL)
    look_at(viewer, VOLUME, [MASKED, BOXED])
    seen = [r for r in (MASKED, BOXED) if _spans(r, viewer.dims.point[2])]
    assert len(seen) == 1


def _spans(region, left_mm):
    low, high = region.bounds_mm[:, 2]
    return low <= left_mm <= high


def test_a_slice_brings_its_plane_and_leaves_the_others(viewer):
    viewer.dims.point = tuple(VOLUME.grid.to_world((3, 4, 5)))
    show_slice(viewer, VOLUME, SliceRef(1, 20))
    assert axis_across(viewer) == 1
    assert_allclose(VOLUME.grid.to_index(viewer.dims.point), (3, 20, 5), atol=1e-6)


def test_the_story_stands_above_where_the_planes_are(viewer, layers):
    name_axes(viewer)
    lines = viewer.canvas.overlays.text.text.splitlines()
    assert lines[:2] == ["Q: What is round?", "A: Both are round."]
    assert lines[2].startswith("Axial")
    viewer.dims.point = (0, 0, 0)
    name_axes(viewer)
    assert viewer.canvas.overlays.text.text.startswith("Q: What is round?")
    viewer.canvas.size = (480, 160)
    lines = viewer.canvas.overlays.text.text.splitlines()
    assert lines[:2] == ["Q: What is", "round?"], "a narrow canvas"
    layers.visible = False
    assert viewer.canvas.overlays.text.text.startswith("Axial")
    assert not layer(viewer, "found answer boxes").visible


def test_a_long_answer_is_cut_in_the_picture():
    long = Answer("word " * 200)
    reported = caption(Turn(1, "Why?", "x", answer=long)).splitlines()
    assert len(reported) == 5
    assert reported[-1].endswith("…")
    refused = Turn(1, "Why?", "x", answer=Answer("", answered=False, reason="x"))
    assert caption(refused).endswith("A: Not answered.")


def test_what_tools_found_is_shown_beside_the_answer(viewer, layers):
    call = ToolCall("segment", {"phrase": "right"})
    steps = (ToolRound("", (ToolResult(call, "found", (BOXED,)),)),)
    layers.show(Turn(2, "What?", "x", steps=steps))
    assert layer(viewer, "found answer boxes") is None
    assert list(layer(viewer, "found step boxes").features["phrase"]) == ["segment: right"]
    assert [one.region.phrase for one in step_regions(steps, "x")] == ["segment: right"]


def test_closing_takes_everything_away_and_leaves_the_image(viewer, layers):
    layers.close()
    assert [x.metadata["medvlm"]["role"] for x in viewer.layers] == ["image"]
    assert "Q:" not in viewer.canvas.overlays.text.text


def test_what_the_window_shows_is_a_box_of_the_image(viewer):
    viewer.canvas.size = (400, 400)
    viewer.scene.camera.zoom = 1000
    viewer.scene.camera.center = (0.0, *VOLUME.grid.to_world((12, 20, 22))[1:])
    start, stop = visible_box(viewer, VOLUME).bounds(VOLUME.grid)
    assert (start[0], stop[0]) == (0, 24)
    assert_allclose((start[1:] + stop[1:]) / 2, (20.5, 22.5), atol=1)
    assert ((stop - start)[1:] <= 2).all()
