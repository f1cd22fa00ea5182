"""Tools that models call: what they do, what they refuse, and how the rounds go."""

import json
import threading

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.conversation import State
from napari_medvlm.data.measurements.measure import diameters
from napari_medvlm.data.tool_call import ToolCall
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.sessions.ask.image_selection import ImageSelection, pictures
from napari_medvlm.sessions.ask.other_images import NamedVolume
from napari_medvlm.sessions.ask.scene import Scene
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.ask.tool_loop import MAX_ROUNDS, generated_objects
from napari_medvlm.sessions.ask.tool_schemas import TOOLS, specs
from napari_medvlm.sessions.ask.tools import Toolbox
from napari_medvlm.sessions.request_sender import ModelChoice, ModelChoices, RequestSender
from napari_medvlm.worker.runner import InlineRunner
from tests.conftest import dice, make_phantom

WINDOW = (Window(180, 240),)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((16, 30, 32), (2.0, 1.0, 1.0), (8, -6, 12))


@pytest.fixture
def scene(phantom):
    volume, left, _ = phantom
    prior = NamedVolume(
        "prior", Volume(volume.data[::-1], flipped(volume.affine, 16), name="prior")
    )
    view = ImageSelection(nmv.Scope(0, 7, 10), windows=WINDOW, others=(prior,))
    return Scene(volume, view, pictures(volume, view), {"left kidney": nmv.Mask.of(left)})


def flipped(affine, length):
    """Of the same image with its slices in the other order."""
    turn = np.diag([-1.0, 1, 1, 1])
    turn[0, 3] = length - 1
    return affine @ turn


@pytest.fixture
def call(scene):
    who = ModelChoice()
    box = Toolbox(
        scene, RequestSender(InlineRunner(), lambda *_: None), ModelChoices(who, who, who)
    )
    return lambda tool, **arguments: box.call(ToolCall(tool, arguments))


def thousandths(picture, mask):
    """The box of a mask in a picture, as models write it."""
    rows, columns = (np.flatnonzero(picture.cut(mask).any(axis=a)) for a in (1, 0))
    height, width = picture.size
    edges = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    return [round(1000 * edge) for edge in edges]


def test_a_box_is_segmented_and_kept_by_name(scene, call, phantom):
    volume, _, right = phantom
    box = thousandths(scene.model_input.pictures[1], nmv.Mask.of(right))
    result = call("segment", picture=2, box=box, name="right kidney")
    assert not result.failed
    assert dice(scene.objects["right kidney"].full(), right) > 0.8
    assert result.regions[0].name == "right kidney"
    assert "picture" in result.text
    again = call("segment", picture=2, box=box, name="right kidney")
    assert again.regions[0].name == "right kidney 2"
    measured = call("measure", object="Right Kidney")
    assert f"{nmv.measure(volume, scene.objects['right kidney']).volume_ml:.2f} mL" in measured.text


def test_a_point_is_segmented(scene, call, phantom):
    _, _, right = phantom
    x0, y0, x1, y1 = thousandths(scene.model_input.pictures[1], nmv.Mask.of(right))
    result = call("segment", picture=2, point=[(x0 + x1) // 2, (y0 + y1) // 2])
    assert result.regions[0].name == "object 1"
    assert dice(scene.objects["object 1"].full(), right) > 0.7


def test_a_phrase_is_found_and_segmented_by_its_label(scene, call, phantom):
    volume, left, right = phantom
    labels = nmv.NamedLabels(right.astype(np.uint8), volume.grid, {1: "spleen"})
    scene.labels = (labels,)
    found = call("ground", phrase="spleen")
    assert "Found in 1 places" in found.text
    assert "picture 1, box [" in found.text
    assert found.regions[0].mask.voxels == right.sum()
    call("segment", phrase="spleen")
    np.testing.assert_array_equal(scene.objects["spleen"].full(), right)
    missing = call("ground", phrase="unicorn")
    assert "was not found" in missing.text
    assert not missing.failed
    assert call("segment", phrase="unicorn").failed


def test_an_object_is_measured(call, phantom):
    volume, left, _ = phantom
    text = call("measure", object="left kidney").text
    size = nmv.measure(volume, nmv.Mask.of(left))
    across = diameters(nmv.Mask.of(left), volume.affine)
    for number in (
        f"{size.volume_ml:.2f} mL",
        f"{across.longest_mm:.1f} mm",
        f"{size.mean:.4g} HU",
    ):
        assert number in text


def test_zoom_shows_the_place_at_full_resolution(scene, call):
    picture = scene.model_input.pictures[1]
    result = call("zoom", picture=2, box=[250, 250, 750, 750])
    (shown,) = result.pictures
    assert shown.slice == picture.slice
    height, width = picture.size
    part = picture.pixels[
        slice(*(e for e in _edges(shown, picture, 1))),
        slice(*(e for e in _edges(shown, picture, 0))),
    ]
    assert part.shape == shown.pixels.shape
    np.testing.assert_array_equal(part, shown.pixels)
    assert f"Picture {len(scene.model_input.pictures) + 1} shows" in result.text
    assert result.regions[0].slice == picture.slice
    deeper = call("zoom", picture=len(scene.model_input.pictures) + 1, box=[0, 0, 500, 500])
    assert deeper.pictures[0].size[0] < shown.size[0]


def _edges(shown, picture, side):
    """Where a cropped picture lies in the whole one: first and last pixel along x (0) or y (1)."""
    height, width = shown.size
    corners = [np.array(shown.point(*xy).position_mm) for xy in ((0, 0), (width, height))]
    return sorted(round(float(picture.pixel_of(corner)[side])) for corner in corners)


def test_a_tiny_box_is_shown_with_what_is_around_it(call):
    shown = call("zoom", picture=1, box=[500, 500, 501, 501]).pictures[0]
    assert min(shown.size) >= 8


def test_the_same_place_in_the_prior_is_shown(scene, call):
    now = scene.model_input.pictures[0]
    result = call("compare", other="prior", picture=1)
    assert "prior, axial slice 8 of 16" in result.text
    (then,) = result.pictures
    middle = (now.size[1] / 2, now.size[0] / 2)
    np.testing.assert_allclose(
        then.point(*middle).position_mm, now.point(*middle).position_mm, atol=1
    )
    np.testing.assert_allclose(
        then.pixels.astype(int).mean(), now.pixels.astype(int).mean(), atol=60
    )
    assert call("compare", other="prior", object="left kidney").pictures


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("dance", {}, "There is no tool 'dance'"),
        ("measure", {}, "needs the argument 'object'"),
        ("measure", {"object": "spleen"}, "no object called 'spleen'"),
        ("measure", {"object": 3}, "must be of type string"),
        ("measure", {"object": "left kidney", "unit": "mm"}, "no argument 'unit'"),
        ("segment", {}, "Give a phrase, a box or a point"),
        ("segment", {"phrase": "a", "point": [1, 2]}, "Give a phrase, a box or a point"),
        ("segment", {"picture": 9, "box": [0, 0, 500, 500]}, "no picture 9"),
        ("segment", {"picture": 1, "box": [0, 0, 500]}, "must have 4 values, not 3"),
        ("segment", {"picture": 1, "box": [0, 0, 5000, 10]}, "outside 0 to 1000"),
        ("segment", {"picture": True, "point": [1, 1]}, "must be of type integer"),
        ("segment", {"picture": 1, "box": [500, 500, 100, 100]}, "has no size"),
        ("zoom", {"picture": 1}, "Give a box in a picture"),
        ("compare", {"other": "follow-up"}, "must be one of prior"),
        ("ground", {"phrase": " "}, "is empty"),
    ],
)
def test_what_cannot_be_done_is_reported_to_the_model(call, name, arguments, reason):
    result = call(name, **arguments)
    assert result.failed
    assert reason in result.text


def test_an_unreadable_tool_call_is_reported(scene, call):
    box = Toolbox(
        scene, RequestSender(InlineRunner(), lambda *_: None), ModelChoices(*[ModelChoice()] * 3)
    )
    result = box.call(ToolCall("measure", {}, problem="The arguments are no JSON."))
    assert result.failed
    assert result.text == "The arguments are no JSON."


def test_only_what_is_offered_can_be_called(scene):
    box = Toolbox(
        scene, RequestSender(InlineRunner(), lambda *_: None), ModelChoices(*[ModelChoice()] * 3)
    )
    result = box.call(ToolCall("measure", {"object": "left kidney"}), ["zoom"])
    assert "The tools are: zoom" in result.text


def test_specs_are_json_schemas_that_their_own_examples_keep():
    offered = {spec.name: spec for spec in specs(TOOLS, ["prior"])}
    assert tuple(offered) == TOOLS
    box = [0, 0, 10, 1000]
    assert not offered["segment"].argument_error({"picture": 1, "box": box, "name": "a"})
    for spec in offered.values():
        json.dumps(dict(spec.parameters))
        assert spec.parameters["type"] == "object"
    assert "compare" not in {spec.name for spec in specs(TOOLS)}
    assert [spec.name for spec in specs(["zoom"])] == ["zoom"]


# Rounds.


@pytest.fixture
def session(phantom, scripted):
    with AskSession(phantom[0], scripted, "inline") as session:
        yield session


def script(*parts):
    return json.dumps(parts)


def test_calls_and_results_are_steps_and_go_back_to_the_model(session, phantom):
    _, _, right = phantom
    view = ImageSelection(nmv.Scope(0, 8, 9), windows=WINDOW)
    box = thousandths(pictures(session.volume, view).pictures[0], nmv.Mask.of(right))
    steps = []
    session.stepped.connect(steps.append)
    talk = script(
        {"say": "Let me look.", "calls": [["segment", {"picture": 1, "box": box, "name": "it"}]]},
        {
            "say": "Now measure.",
            "calls": [["measure", {"object": "it"}], ["measure", {"object": "x"}]],
        },
        {"say": "It is large."},
    )
    exchange = session.turn(session.ask("how large?", selection=view, tools=TOOLS, context=talk))
    assert exchange.state is State.ANSWERED
    assert exchange.answer.text == "It is large."
    assert [step.text for step in exchange.steps] == ["Let me look.", "Now measure."]
    assert [r.failed for step in exchange.steps for r in step.results] == [False, False, True]
    assert exchange.steps[1].results[0].regions[0].mask.voxels > 0
    assert [step.text for step in steps] == ["Let me look.", "Now measure."]
    assert dice(generated_objects([exchange])["it"].full(), right) > 0.8
    later = session.turn(session.ask("and?"))
    assert json.loads(later.answer.text)["objects"] == ["it"]


def test_objects_of_a_conversation_come_back_with_it(session, phantom):
    view = ImageSelection(nmv.Scope(0, 8, 9), windows=WINDOW)
    talk = script(
        {"say": "", "calls": [["segment", {"picture": 1, "point": [700, 500]}]]}, {"say": "a"}
    )
    before = session.turn(session.ask("a?", selection=view, tools=TOOLS, context=talk))
    made = generated_objects([before])
    assert made
    with AskSession(session.volume, "scripted", "inline", ledger=session.ledger) as again:
        back = generated_objects(again.active.turns)
        assert {n: m.digest for n, m in back.items()} == {n: m.digest for n, m in made.items()}


def test_rounds_are_bounded_and_the_model_is_asked_to_answer(session):
    greedy = {"say": "More.", "calls": [["measure", {"object": "x"}]]}
    exchange = session.turn(session.ask("a?", tools=["measure"], context=script(greedy)))
    assert len(exchange.steps) == MAX_ROUNDS
    assert "answer now" in exchange.steps[-1].results[-1].text
    assert not exchange.answer.answered
    assert f"after {MAX_ROUNDS} rounds" in exchange.answer.reason


def test_a_tool_whose_backend_is_missing_fails_and_the_answer_comes(session):
    session.segmenter = ModelChoice("no-such-backend")
    view = ImageSelection(nmv.Scope(0, 8, 9))
    talk = script(
        {"say": "", "calls": [["segment", {"picture": 1, "point": [500, 500]}]]}, {"say": "well"}
    )
    exchange = session.turn(session.ask("a?", selection=view, tools=TOOLS, context=talk))
    assert "no backend called no-such-backend" in exchange.steps[0].results[0].text
    assert exchange.answer.text == "well"


def test_without_tools_a_call_is_answered_that_there_are_none(session):
    talk = script({"say": "", "calls": [["measure", {"object": "x"}]]}, {"say": "well"})
    exchange = session.turn(session.ask("a?", context=talk))
    assert "The tools are: none" in exchange.steps[0].results[0].text
    assert exchange.answer.text == "well"


def test_the_worker_runs_the_rounds_as_well(phantom, scripted):
    talk = script({"say": "", "calls": [["measure", {"object": "kidney"}]]}, {"say": "well"})
    with AskSession(phantom[0], scripted) as session:
        id_ = session.ask("a?", masks={"kidney": phantom[1]}, tools=TOOLS, context=talk)
        session.wait(120)
        assert "kidney: volume" in session.turn(id_).steps[0].results[0].text


POINTING = script(
    {"say": "Let me see.", "calls": [["segment", {"picture": 1, "point": [500, 500]}]]},
    {"say": "well"},
)


def test_stop_in_the_middle_of_a_tool_keeps_what_was_written(phantom, scripted, runner):
    lingers = threading.Event()
    with AskSession(phantom[0], scripted, runner) as session:
        session.segmenter = ModelChoice("lingering")
        session.progressed.connect(lambda _, text: text == "lingering" and lingers.set())
        id_ = session.ask(
            "a?", selection=ImageSelection(nmv.Scope(0, 8, 9)), tools=TOOLS, context=POINTING
        )
        assert lingers.wait(120)
        session.cancel()
        session.wait(120)
        exchange = session.turn(id_)
        assert exchange.state is State.STOPPED
        assert exchange.partial.strip() == "Let me see."
        assert exchange.steps == ()


def test_a_tool_whose_worker_dies_is_reported_to_the_model(phantom, scripted, runner):
    with AskSession(phantom[0], scripted, runner) as session:
        session.segmenter = ModelChoice("dying")
        id_ = session.ask(
            "a?", selection=ImageSelection(nmv.Scope(0, 8, 9)), tools=TOOLS, context=POINTING
        )
        session.wait(120)
        exchange = session.turn(id_)
        assert "exit code 9" in exchange.steps[0].results[0].text
        assert exchange.answer.text == "well"
