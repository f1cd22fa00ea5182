"""Conversations come back from session files and journals, whatever happened."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_medvlm as nmv
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.conversation import State, Verdict
from napari_medvlm.data.errors import OutOfMemory, SessionFileError
from napari_medvlm.data.volume import Window
from napari_medvlm.io.journal import new_journal, resumable
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.session import AskSession
from tests.conftest import make_phantom
from tests.sessions.ask.conversations import Watch, heard, script


def shape_of(session):
    """All of a session's conversations that its file must keep."""
    return [
        (c.id, c.title, [picture_of_exchange(e) for e in c.turns]) for c in session.conversations
    ]


def picture_of_exchange(e):
    answer = e.answer
    return (
        (e.id, e.question, e.backend, e.model, e.kind, e.options, e.context, e.state),
        [(s.pixels.tobytes(), s.slice, s.caption, s.of) for s in e.sent],
        (e.covered, e.partial, e.problem, e.seconds, e.first_token_s, dict(e.marks)),
        [
            (
                s.text,
                [
                    (
                        r.call,
                        r.text,
                        r.failed,
                        places(r.regions),
                        [p.pixels.tobytes() for p in r.pictures],
                    )
                    for r in s.results
                ],
            )
            for s in e.steps
        ],
        answer
        and (
            (answer.text, answer.answered, answer.reason, answer.thinking, answer.choice),
            (answer.probabilities, answer.notes, answer.written, answer.tokens, answer.images),
            [(c.text, c.source, c.problems, places(c.regions)) for c in answer.claims],
        ),
    )


def places(regions):
    return [(r.phrase, r.name, r.score, r.slice, r.points, r.box) for r in regions]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["plain", "seen", "tool", "fail", "choice"])),
        st.tuples(st.just("new"), st.text(max_size=5)),
        st.tuples(st.just("select"), st.integers(0, 9)),
        st.tuples(st.just("rename"), st.integers(0, 9)),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("edit"), st.integers(0, 9)),
        st.tuples(st.just("mark"), st.sampled_from([*Verdict, None])),
        st.tuples(st.just("ground"), st.integers(0, 9)),
    ),
    max_size=12,
)


def ask_something(session, how, masks):
    tool = {
        "say": "look",
        "calls": [
            ["measure", {"object": "left kidney"}],
            ["zoom", {"picture": 1, "box": [0, 0, 500, 500]}],
        ],
    }
    view = ImageSelection(nmv.Scope(slice_step_mm=6), montage=2)
    match how:
        case "plain":
            session.ask("plain?")
        case "seen":
            seen = ImageSelection(
                nmv.Scope(0, 3, 5),
                draw=(
                    nmv.Region.of_mask(
                        "a", nmv.Mask.of(masks["left kidney"]), session.volume.grid, None, "a"
                    ),
                ),
            )
            session.ask(
                "seen?", selection=seen, context=script({"say": "there", "box": [1, 2, 9, 9]})
            )
        case "tool":
            session.ask(
                "tool?",
                selection=view,
                masks=masks,
                tools=["measure", "zoom"],
                context=script(tool, {"say": "done"}),
            )
        case "fail":
            session.ask("fail?", context=script({"say": "so far", "memory": True}))
        case "choice":
            session.ask("which?", kind=AnswerKind.CHOICE, options=["a", "b"])


def act(session, action, value, masks):
    ids = [e.id for e in session.active.turns]
    talks = [c.id for c in session.conversations]
    answered = bool(ids) and session.turn(ids[-1]).answer is not None
    doing = {
        "ask": lambda: ask_something(session, value, masks),
        "new": lambda: session.new(value),
        "select": lambda: session.select(talks[value % len(talks)]),
        "remove": lambda: session.remove(talks[value % len(talks)]),
        "rename": lambda: session.rename(talks[value % len(talks)], f"title {value}"),
        "edit": lambda: ids and session.edit(ids[value % len(ids)], "edited?"),
        "mark": lambda: answered and session.mark(ids[-1], 0, value, "note"),
        "ground": lambda: answered and session.ground_claim(ids[-1], 0),
    }
    doing[action]()
    with contextlib.suppress(OutOfMemory):
        session.wait()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ACTIONS)
def test_conversations_come_back_from_their_file(scene, scripted, tmp_path_factory, actions):
    volume, masks = scene
    folder = tmp_path_factory.mktemp("sessions")
    with AskSession(volume, scripted, "inline", journal=folder / "ask.jsonl") as session:
        for action, value in actions:
            act(session, action, value, masks)
        wanted = shape_of(session)
        session.ledger.save(folder / "ask.json")
    for name in ("ask.json", "ask.jsonl"):
        if not (folder / name).exists():  # nothing was said
            continue
        ledger = Ledger.load(folder / name)
        with AskSession(volume, scripted, "inline", ledger=ledger) as again:
            assert shape_of(again) == wanted


def test_a_reopened_conversation_goes_on(scene, scripted):
    volume, masks = scene
    view = ImageSelection(nmv.Scope(0, 3, 5), windows=(Window(100, 300),))
    with AskSession(volume, scripted, "inline") as session:
        first = session.ask("first?", selection=view, context=script({"say": "one"}))
        ledger = session.ledger
    with AskSession(volume, scripted, "inline", ledger=ledger) as session:
        second = session.turn(session.ask("second?"))
        assert second.id == first + 1
        assert heard(second)["earlier"] == [["first?", "one"]]
        anew = session.turn(session.regenerate(first))
        assert [s.caption for s in anew.sent] == [s.caption for s in session.turn(anew.id).sent]
        assert len(anew.sent) == 2


def test_a_killed_program_leaves_the_partial_answer_as_stopped(scene, scripted, runner, home):
    volume, _ = scene
    journal = new_journal(Ledger.of(volume).image, "ask")
    session = AskSession(volume, scripted, runner, journal=journal)
    watch = Watch(session)
    session.ask("long?", context=script({"say": "half an answer", "wait": True}))
    assert watch.began.wait(120)
    assert session._history._journal.flush()
    left = journal.read_bytes()  # what is on the disk at this moment
    session.close()
    journal.write_bytes(left)
    assert list(resumable(Ledger.of(volume).image, "ask")) == [journal]
    with AskSession(
        volume, scripted, "inline", journal=journal, ledger=Ledger.load(journal)
    ) as again:
        (exchange,) = again.active.turns
        assert exchange.state is State.STOPPED
        assert exchange.partial.startswith("half")
        assert "Ask again" in exchange.problem
    (kept,) = [r for r in Ledger.load(journal).records if r.record == "answered"]
    assert kept.state is State.STOPPED


def test_a_session_of_another_image_or_mixed_up_is_refused(scene):
    volume, _ = scene
    other = make_phantom((10, 12, 14))[0]
    with pytest.raises(SessionFileError, match="another image"):
        AskSession(other, runner="inline", ledger=Ledger.of(volume))
    with AskSession(volume, runner="inline") as session:
        session.ask("How many objects are there?")
        records = session.ledger.records
    mixed = Ledger(session.ledger.image, records[1:])
    with pytest.raises(SessionFileError, match="contradicts an earlier"):
        AskSession(volume, runner="inline", ledger=mixed)


def test_a_session_file_from_before_there_were_conversations_is_still_read(scripted):
    ledger = Ledger.load(Path(__file__).with_name("before_conversations.json"))
    assert [r.record for r in ledger.records] == [
        "grounded",
        "descriptor_toggled",
        "entry",
        "cursor",
    ]
    assert ledger.records[0].regions[0].name == "a"
    volume = nmv.Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    with AskSession(volume, scripted, "inline", ledger=ledger) as session:
        session.ask("what?")
        assert [c.title for c in session.conversations] == ["Conversation 1"]
    assert ledger.can_redo
