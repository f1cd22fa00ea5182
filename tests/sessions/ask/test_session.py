"""A session of asking: conversations, stops, failures and marks."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.conversation import Mark, State, Verdict
from napari_medvlm.data.errors import (
    BackendUnavailable,
    GeometryMismatch,
    InvalidPrompt,
    OutOfMemory,
    WorkerCrashed,
)
from napari_medvlm.data.volume import Window
from napari_medvlm.sessions.ask.ground_claim import query_of
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.other_images import NamedVolume
from napari_medvlm.sessions.ask.session import AskSession
from tests.sessions.ask.conversations import Watch, heard, script


def test_measured_answers_come_one_after_the_other_with_places_and_times(scene):
    volume, masks = scene
    with AskSession(volume) as session:
        first = session.ask("Which kidney is larger?", masks=masks)
        second = session.ask("How large is the right kidney?", masks=masks)
        assert session.pending
        session.wait(120)
        assert [e.id for e in session.active.turns] == [first, second]
        assert not session.pending
        larger = session.turn(first)
        assert larger.state is State.ANSWERED
        assert larger.answer.claims[0].regions
        assert 0 < larger.first_token_s <= larger.seconds
        assert "mL" in session.turn(second).answer.text


def test_the_conversation_goes_along(inline):
    inline.ask("first?", context=script({"say": "one"}))
    inline.ask("second?", context=script({"say": "two"}))
    third = inline.turn(inline.ask("third?"))
    assert heard(third)["earlier"] == [["first?", "one"], ["second?", "two"]]
    inline.new("another")
    assert heard(inline.turn(inline.ask("alone?")))["earlier"] == []


def test_conversations_are_named_chosen_and_taken_away(inline):
    first = inline.active.id
    second = inline.new("Follow-up")
    assert [c.title for c in inline.conversations] == ["Conversation 1", "Follow-up"]
    inline.rename(first, "Admission")
    inline.select(first)
    inline.ask("in the first?")
    assert [len(c.turns) for c in inline.conversations] == [1, 0]
    inline.remove(first)
    assert [c.id for c in inline.conversations] == [second]
    assert inline.active.id == second
    inline.remove(second)
    assert len(inline.conversations) == 1
    assert inline.active.id not in (first, second)
    with pytest.raises(InvalidPrompt, match="no conversation"):
        inline.select(first)


def test_an_edited_question_takes_the_place_of_what_came_after(inline):
    first = inline.ask("first?", context=script({"say": "one"}))
    old = inline.ask("second?")
    inline.ask("third?")
    new = inline.edit(old, "second, better?")
    assert [e.id for e in inline.active.turns] == [first, new]
    assert heard(inline.turn(new))["text"] == "second, better?"
    again = inline.regenerate(new)
    assert [e.question for e in inline.active.turns] == ["first?", "second, better?"]
    assert again not in (first, old, new)
    asked = [r.question for r in inline.ledger.records if r.record == "asked"]
    assert "third?" in asked
    with pytest.raises(InvalidPrompt, match="no question"):
        inline.turn(old)


def test_an_impossible_question_is_refused_at_once(inline, scene):
    volume, _ = scene
    before = inline.active.turns
    with pytest.raises(InvalidPrompt, match="The question is empty"):
        inline.ask("  ")
    with pytest.raises(InvalidPrompt, match="no slice"):
        inline.ask("a?", selection=ImageSelection(nmv.Scope(0, 500, 600)))
    with pytest.raises(InvalidPrompt, match="2 windows"):
        inline.ask("a?", selection=ImageSelection(windows=(Window(1, 2), Window(3, 4))))
    with pytest.raises(InvalidPrompt, match="no tool called dance"):
        inline.ask("a?", tools=["dance"])
    with pytest.raises(GeometryMismatch, match="has the shape"):
        inline.ask("a?", masks={"a": np.ones((2, 2, 2))})
    assert inline.active.turns == before


def test_backend_without_answers_is_refused(scene, foreign):
    with pytest.raises(BackendUnavailable, match="does not answer"):
        AskSession(scene[0], foreign, "inline")


def test_the_sent_pictures_are_stored_with_their_coverage(inline):
    view = ImageSelection(nmv.Scope(0, 2, 6), windows=(Window(100, 400),))
    exchange = inline.turn(inline.ask("what?", selection=view))
    assert [sent.slice.index for sent in exchange.sent] == [2, 3, 4, 5]
    assert exchange.covered == pytest.approx(4 / 12)
    assert heard(exchange)["captions"][0] == "axial slice 2 of 12, window 100/400"


def test_a_box_in_a_prior_has_its_place_and_no_slice_of_this_image(inline, scene):
    volume, _ = scene
    turned = nmv.Volume(volume.data.transpose(2, 1, 0).copy(), volume.affine[:, [2, 1, 0, 3]])
    view = ImageSelection(nmv.Scope(0, 3, 4), others=(NamedVolume("prior", turned),))
    says = script({"say": "there", "box": [2, 3, 9, 11], "picture": 2})
    (region,) = inline.turn(inline.ask("a?", selection=view, context=says)).answer.claims[0].regions
    assert region.slice is None
    start, stop = region.box.bounds(volume.grid)
    assert (list(start), list(stop)) == ([3, 3, 2], [4, 11, 9])
    says = script({"say": "there", "box": [2, 3, 9, 11]})
    (region,) = inline.turn(inline.ask("a?", selection=view, context=says)).answer.claims[0].regions
    assert region.slice.index == 3


def test_stop_keeps_what_had_come_and_the_next_question_is_answered(scene, scripted, runner):
    with AskSession(scene[0], scripted, runner) as session:
        watch = Watch(session)
        first = session.ask("long?", context=script({"say": "half an", "wait": True}))
        second = session.ask("queued?")
        assert watch.began.wait(120)
        session.cancel(first)
        stopped = session.turn(first)
        assert stopped.state is State.STOPPED
        assert "half".startswith(stopped.partial.strip()[:4])
        assert stopped.partial
        assert "Ask again" in stopped.problem
        session.wait(120)
        assert session.turn(second).state is State.ANSWERED
        assert not watch.failures


def test_stop_of_everything_leaves_every_question_in_place(scene, scripted, runner):
    with AskSession(scene[0], scripted, runner) as session:
        watch = Watch(session)
        ids = [session.ask("long?", context=script({"say": "a", "wait": True})) for _ in range(3)]
        assert watch.began.wait(120)
        session.cancel()
        session.wait(120)
        assert [session.turn(id_).state for id_ in ids] == [State.STOPPED] * 3
        again = session.edit(ids[0], "short?")
        assert session.turn(again).question == "short?"
        session.cancel()


def test_a_listener_can_stop_an_answer_inline(inline):
    inline.delta.connect(lambda _: inline.cancel())
    exchange = inline.turn(inline.ask("long?", context=script({"say": "one two three"})))
    assert exchange.state is State.STOPPED
    assert exchange.partial == "one "


def test_a_worker_that_dies_costs_the_rest_of_one_answer(scene, scripted, runner):
    with AskSession(scene[0], scripted, runner) as session:
        watch = Watch(session)
        died = session.ask("deadly?", context=script({"say": "the liver is", "die": True}))
        with pytest.raises(WorkerCrashed):
            session.wait(120)
        failed = session.turn(died)
        assert failed.state is State.FAILED
        assert failed.question == "deadly?"
        assert failed.partial.split() == ["the", "liver", "is"]
        assert "exit code 7" in failed.problem
        assert [type(f) for f in watch.failures] == [WorkerCrashed]
        alive = session.ask("and now?")
        session.wait(120)
        assert session.turn(alive).state is State.ANSWERED
        assert heard(session.turn(alive))["earlier"] == []


def test_a_failure_names_its_remedy_and_the_queue_continues(scene, scripted, runner):
    with AskSession(scene[0], scripted, runner) as session:
        first = session.ask("much?", context=script({"say": "a bit", "memory": True}))
        second = session.ask("little?")
        with pytest.raises(OutOfMemory):
            session.wait(120)
        assert session.turn(first).problem.endswith("Choose a smaller model.")
        assert session.turn(first).partial.strip() == "a bit"
        assert session.turn(second).state is State.ANSWERED


def test_a_listener_that_fails_stops_nothing(inline):
    def fail(*_):
        raise ValueError("a listener's own error")

    for signal in (inline.changed, inline.delta, inline.progressed):
        signal.connect(fail)
    assert inline.turn(inline.ask("well?")).state is State.ANSWERED


def test_claims_are_marked_and_unmarked(inline):
    exchange = inline.ask("what?", context=script({"say": "A nodule."}))
    inline.mark(exchange, 0, Verdict.WRONG, "it is a vessel")
    assert inline.turn(exchange).marks == {0: Mark(Verdict.WRONG, "it is a vessel")}
    inline.mark(exchange, 0, None)
    assert inline.turn(exchange).marks == {}
    with pytest.raises(InvalidPrompt, match="no sentence 5"):
        inline.mark(exchange, 5, Verdict.RIGHT)


def test_a_sentence_without_a_place_is_grounded_afterwards(inline, scene):
    volume, masks = scene
    values = np.zeros(volume.shape, np.uint8)
    values[masks["left kidney"]] = 1
    labels = nmv.NamedLabels(values, volume.grid, {1: "left kidney"})
    exchange = inline.ask("what?", context=script({"say": "left kidney"}), labels=[labels])
    inline.ground_claim(exchange, 0)
    inline.wait()
    claim = inline.turn(exchange).answer.claims[0]
    assert claim.source == "grounded afterwards by Embedded (no model needed)"
    assert claim.regions[0].mask.voxels == masks["left kidney"].sum()
    nowhere = inline.ask("what?", context=script({"say": "a unicorn"}))
    inline.ground_claim(nowhere, 0)
    claim = inline.turn(nowhere).answer.claims[0]
    assert claim.regions == ()
    assert claim.source == "scripted"
    assert claim.problems


def test_backend_without_grounding_cannot_ground_a_sentence(inline):
    exchange = inline.ask("what?", context=script({"say": "left kidney"}))
    with pytest.raises(BackendUnavailable, match="does not find phrases"):
        inline.ground_claim(exchange, 0, "scripted")


def test_an_object_of_the_question_is_found_in_a_sentence(inline, scene):
    volume, masks = scene
    exchange = inline.ask(
        "what?", context=script({"say": "The left kidney looks fine."}), masks=masks
    )
    inline.ground_claim(exchange, 0)
    (region,) = inline.turn(exchange).answer.claims[0].regions
    assert region.name == "left kidney"


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        ("The left hippocampus is small.", ["left hippocampus"]),
        ("A small left pleural effusion is there.", ["small left pleural effusion"]),
        ("The lesion lies in the liver.", ["lesion"]),
        ("Something odd.", ["Something odd"]),
    ],
)
def test_what_a_sentence_names_is_looked_for(scene, sentence, phrases):
    objects = {"lesion": nmv.Mask.of(scene[1]["left kidney"])}
    query = query_of(sentence, nmv.Scope(), (), objects, scene[0].grid)
    assert list(query.phrases) == phrases


def test_what_is_not_there_has_no_place(inline):
    exchange = inline.ask("what?", context=script({"say": "There is no pleural effusion."}))
    with pytest.raises(InvalidPrompt, match="denies a finding"):
        inline.ground_claim(exchange, 0)


def test_an_error_of_the_program_ends_the_exchange_and_is_raised(inline, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("napari_medvlm.sessions.ask.turn.render_images", broken)
    with pytest.raises(ZeroDivisionError):
        inline.ask("what?")
    assert inline.active.turns[0].state is State.FAILED
    monkeypatch.undo()


def test_a_shared_runner_outlives_the_session(scene, scripted, runner):
    with AskSession(scene[0], scripted, runner) as session:
        session.ask("a?")
        session.wait(120)
    with AskSession(scene[0], scripted, runner) as session:
        session.ask("b?")
        session.wait(120)
        assert session.active.turns[0].state is State.ANSWERED
