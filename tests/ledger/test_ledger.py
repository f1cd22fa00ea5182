"""The ledger: undo, redo, files; nothing is ever lost."""

import json
import os
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medvlm.data.errors import CannotSave, SessionFileError
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal, new_journal, resumable
from napari_medvlm.ledger.ledger import STORED_EVERY, Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo, Predicted, PromptAdded
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.ledger.state import LedgerState

VOLUME = Volume(np.arange(60.0).reshape(3, 4, 5), name="phantom")


def point(z, y, x, positive=True):
    return Point.at_index(VOLUME, (z, y, x), positive)


def ledger_with(prompts):
    ledger = Ledger.of(VOLUME)
    ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="Object 1", color="#ffffff")))
    for prompt in prompts:
        add(ledger, prompt)
    return ledger


def add(ledger, prompt):
    ledger.append(PromptAdded(object_id=1, prompt_id=ledger.next_prompt_id(), prompt=prompt))


def live(ledger):
    return ledger.now.objects[1].current() if 1 in ledger.now.objects else None


@given(st.lists(st.sampled_from(["add", "undo", "redo"]), max_size=40))
def test_undo_and_redo_walk_over_exactly_what_was_done(steps):
    ledger, model, undone = ledger_with([]), [], []
    for number, step in enumerate(steps):
        if step == "add":
            add(ledger, point(0, 0, number % 5))
            model, undone = [*model, point(0, 0, number % 5)], []
        elif step == "undo" and model:
            ledger.undo()
            undone.append(model[-1])
            model = model[:-1]
        elif step == "redo" and undone:
            ledger.redo()
            model = [*model, undone.pop()]
    assert list(live(ledger)) == model
    assert ledger.can_redo == bool(undone)


@given(st.lists(st.sampled_from(["add", "undo", "redo"]), max_size=25))
def test_a_ledger_comes_back_from_its_file(tmp_path_factory, steps):
    ledger = ledger_with([point(1, 1, 1)])
    for step in steps:
        if step == "add":
            add(ledger, point(2, 2, 2, positive=False))
        elif step == "undo" and len(ledger.entries) > 1:
            ledger.undo()
        elif step == "redo" and ledger.can_redo:
            ledger.redo()
    path = tmp_path_factory.mktemp("ledger") / "session.json"
    ledger.save(path)
    again = Ledger.load(path)
    assert again.records == ledger.records
    assert again.now == ledger.now
    assert (again.can_undo, again.can_redo) == (ledger.can_undo, ledger.can_redo)


def test_the_file_keeps_what_was_undone():
    ledger = ledger_with([point(1, 1, 1)])
    ledger.undo()
    add(ledger, point(2, 2, 2))
    entries = [r for r in ledger.records if r.record == "entry"]
    assert len(entries) == 3
    assert live(ledger) == (point(2, 2, 2),)


def test_steps_name_the_prompts_after_which_a_mask_was_made():
    ledger = ledger_with([point(0, 0, 0), point(0, 0, 1), point(0, 0, 2)])
    second = ledger.entries[2].serial
    ledger.note(
        Predicted(
            object_id=1, serial=second, backend="b", model=None, steps=(2,), digest="", voxels=0,
            seconds=0.1,
        )
    )  # fmt: skip
    assert ledger.steps(ledger.now.objects[1]) == (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged, or not a session"),
        ("[1, 2]", "damaged, or not a session"),
        ('{"format": "something else"}', "damaged, or not a session"),
        ('{"format": "napari-medvlm session", "version": 99}', "newer version"),
    ],
    ids=["empty", "a list", "another format", "newer"],
)
def test_a_file_that_is_no_session_is_reported(tmp_path, text, message):
    path = tmp_path / "session.json"
    path.write_text(text)
    with pytest.raises(SessionFileError, match=message) as refused:
        Ledger.load(path)
    assert refused.value.hint


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(SessionFileError, match=r"There is no nothing\.json in"):
        Ledger.load(tmp_path / "nothing.json")
    with pytest.raises(SessionFileError, match="cannot be read"):
        Ledger.load(tmp_path)


def test_records_that_contradict_each_other_are_reported(tmp_path):
    path = tmp_path / "session.json"
    ledger_with([point(1, 1, 1)]).save(path)
    content = json.loads(path.read_text())
    del content["records"][0]
    path.write_text(json.dumps(content))
    with pytest.raises(SessionFileError, match="Record 1"):
        Ledger.load(path)


def test_a_failed_save_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "session.json"
    ledger_with([]).save(path)
    before = path.read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CannotSave, match="No space left"):
        ledger_with([point(1, 1, 1)]).save(path)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["session.json"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path))
    return tmp_path


def journaled(ledger, path, prompts, failures=None):
    failures = [] if failures is None else failures
    journal = Journal(path, ledger, failures.append)
    for prompt in prompts:
        add(ledger, prompt)
        journal.write(ledger.records[-1])
    return journal


def test_a_journal_holds_every_prompt_without_being_closed(home):
    ledger = ledger_with([])
    path = new_journal(ledger.image)
    journal = journaled(ledger, path, [point(0, 0, i) for i in range(5)])
    assert journal.flush()
    assert Ledger.load(path).records == ledger.records
    journal.close()


def test_a_journal_whose_last_line_was_cut_off_gives_the_rest(home):
    ledger = ledger_with([])
    path = new_journal(ledger.image)
    journaled(ledger, path, [point(0, 0, i) for i in range(5)]).close()
    path.write_bytes(path.read_bytes()[:-20])
    assert Ledger.load(path).records == ledger.records[:-1]


def test_a_cut_off_journal_can_be_continued(home):
    ledger = ledger_with([])
    path = new_journal(ledger.image)
    journaled(ledger, path, [point(0, 0, 0), point(0, 0, 1)]).close()
    path.write_bytes(path.read_bytes()[:-20])
    again = Ledger.load(path)
    journaled(again, path, [point(0, 0, 4)]).close()
    assert live(Ledger.load(path)) == (point(0, 0, 0), point(0, 0, 4))


def test_only_looking_leaves_no_journal(home):
    ledger = Ledger.of(VOLUME)
    Journal(new_journal(ledger.image), ledger, print).close()
    assert not list(resumable(ledger.image))


def test_the_newest_journal_of_the_image_is_offered_unless_it_is_open(home):
    ledger = ledger_with([])
    old, new = new_journal(ledger.image), None
    journaled(ledger, old, [point(0, 0, 0)]).close()
    new = new_journal(ledger.image)
    journal = journaled(ledger, new, [point(0, 0, 1)])
    assert journal.flush()
    assert list(resumable(ledger.image)) == [old]
    journal.close()
    assert list(resumable(ledger.image)) == [new, old]
    other = Volume(np.ones((2, 2, 2)))
    assert not list(resumable(ImageReference.of(other)))


def test_a_journal_that_was_gone_on_with_is_offered_before_a_newer_one(home):
    ledger = ledger_with([])
    old = new_journal(ledger.image)
    journaled(ledger, old, [point(0, 0, 0)]).close()
    new = new_journal(ledger.image)
    journaled(ledger, new, [point(0, 0, 1)]).close()
    os.utime(new, ns=(0, 0))  # used long ago; the clock of some disks counts whole seconds
    os.utime(old, ns=(0, 0))
    assert list(resumable(ledger.image)) == [new, old]
    Journal(old, Ledger.load(old), print).close()
    assert list(resumable(ledger.image)) == [old, new]


def test_a_full_disk_is_reported_once_and_the_records_are_written_later(home, monkeypatch):
    ledger, failures = ledger_with([]), []
    path = new_journal(ledger.image)
    with monkeypatch.context() as full:

        def no_space(_):
            raise OSError(28, "No space left on device")

        full.setattr("os.fsync", no_space)
        journal = journaled(ledger, path, [point(0, 0, 0), point(0, 0, 1)], failures)
        assert not journal.flush()
    assert [type(f) for f in failures] == [CannotSave]
    add(ledger, point(0, 0, 2))
    journal.write(ledger.records[-1])
    assert journal.flush()
    journal.close()
    assert Ledger.load(path).records == ledger.records


def test_states_between_the_stored_ones_equal_those_of_the_entries_in_order():
    ledger, rng, states = Ledger.of(VOLUME), random.Random(0), [LedgerState()]
    info = ObjectInfo(id=1, name="a", color="#ffffff")
    for step in range(4 * STORED_EVERY):
        if rng.random() < 0.3 and ledger.can_undo:
            for _ in range(rng.randint(1, 5 if step % 50 else STORED_EVERY + 5)):
                if ledger.can_undo:
                    ledger.undo()
            if ledger.can_redo and rng.random() < 0.5:
                ledger.redo()
        count = len(ledger.entries)
        assert ledger.now == states[count]
        events = [ObjectAdded(object=info)] if not states[count].objects else []
        prompt = PromptAdded(
            object_id=1, prompt_id=ledger.next_prompt_id(), prompt=point(step % 3, 1, 1)
        )
        entry = ledger.append(*events, prompt)
        states = [*states[: count + 1], states[count].after(entry)]
    for entry, state in zip(ledger.entries, states[1:], strict=True):
        assert ledger.moment(entry.serial) == state
    again = Ledger(ledger.image, ledger.records)
    assert again.now == states[-1]


def test_the_states_of_many_prompts_share_memory():
    """Each state has a dictionary of its own: those of all entries would grow as their square."""
    ledger = ledger_with([point(1, 1, 1)] * 1000)
    held = {id(state) for state in (*ledger._states.values(), *ledger._block[1])}
    assert len(held) <= 1001 // STORED_EVERY + STORED_EVERY + 1


def test_an_object_whose_colour_is_none_is_grey(tmp_path):
    ledger = ledger_with([point(1, 1, 1)])
    path = tmp_path / "session.json"
    ledger.save(path)
    color = ledger.now.objects[1].info.color
    path.write_text(path.read_text("utf-8").replace(color, "<img src=//host/share>"), "utf-8")
    again = Ledger.load(path)
    assert again.now.objects[1].info.color == "#808080"
    assert again.damage == "The colour of an object is not of the form #rrggbb: it is grey."
    again.save(path)
    assert Ledger.load(path).damage == ""
