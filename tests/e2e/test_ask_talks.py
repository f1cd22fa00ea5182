"""Questions and conversations in the Ask dock, in a real window: stopped, failed, changed, kept."""

import contextlib
import os
import signal
from dataclasses import replace

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

import napari_medvlm as nmv
from napari_medvlm.data.conversation import State
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.io.journal import resumable
from napari_medvlm.widgets.other_docks import bring_in
from tests.conftest import make_phantom
from tests.foreign.medvlm_foreign_answers import THINKING

SHARES_WINDOWS = True

LEFT = 0


def test_text_comes_as_it_is_written_and_thinking_is_folded_away(scripted):
    scripted.writes("What is bright?")
    seen = []
    scripted.waits(lambda: bool(seen.append(scripted.card.text.toPlainText()) or seen[-1]))
    scripted.waits(lambda: not scripted.dock.session.pending)
    scripted.sees_all()
    assert "think>" not in "".join(seen)
    assert "left one is bright" in scripted.card.text.toPlainText()
    assert "**" not in scripted.card.text.toPlainText()
    assert not scripted.card.thinking.isExpanded()
    scripted.card.thinking.expand()
    assert scripted.card.thinking_text.toPlainText() == THINKING


def test_a_running_answer_is_stopped_and_what_came_stays(scripted):
    scripted.writes("Go on endlessly")
    scripted.waits(lambda: "again" in scripted.card.text.toPlainText())
    assert scripted.dock.run.cancel.isEnabled()
    scripted.dock.run.cancel.click()
    scripted.waits(lambda: not scripted.dock.session.pending)
    scripted.sees_all()
    assert scripted.last.state is State.STOPPED
    assert "again again" in scripted.card.text.toPlainText()
    assert scripted.card.state.text() == "stopped"
    scripted.asks("What is bright?")
    assert scripted.last.state is State.ANSWERED


def test_the_end_of_the_worker_leaves_the_question(scripted):
    scripted.writes("Go on endlessly")
    scripted.waits(lambda: "again" in scripted.card.text.toPlainText())
    for pid in scripted.dock._runner.pids.values():
        os.kill(pid, signal.SIGKILL)
    scripted.waits(lambda: scripted.card.text.toPlainText() != "" and _is_over(scripted))
    assert scripted.card.question.text() == "Go on endlessly"
    scripted.asks("What is bright?")
    assert scripted.last.state is State.ANSWERED


def _is_over(asker):
    """Whether it failed; the request is sent once more before that, and ended once more."""
    for pid in asker.dock._runner.pids.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return asker.last.state is State.FAILED


def test_what_went_wrong_stands_at_the_question_with_the_remedy(scripted):
    scripted.writes("Please fail")
    scripted.waits(lambda: scripted.last.state is State.FAILED)
    scripted.sees_all()
    assert "Ask in another way." in scripted.card.problem.text()
    assert "Half of" in scripted.card.text.toPlainText()


def test_a_question_is_changed_and_asked_again(scripted):
    scripted.asks("What is bright?")
    first = scripted.last.id
    scripted.card.edit.click()
    assert scripted.dock.box.text == "What is bright?"
    scripted.asks("What is dark?")
    assert [e.question for e in scripted.exchanges] == ["What is dark?"]
    assert scripted.last.id != first
    scripted.card.again.click()
    scripted.waits(lambda: not scripted.dock.session.pending)
    assert [e.question for e in scripted.exchanges] == ["What is dark?"]


def test_a_closed_question_shows_the_option_and_how_likely_each_is(scripted):
    box = scripted.dock.box
    box.kind_box.setCurrentIndex(1)
    box.options_edit.setPlainText("bright\ndark\n")
    scripted.asks("Is it bright or dark?")
    assert scripted.card.choice.text().splitlines()[0] == "→ bright"
    assert "75 %  bright" in scripted.card.choice.text()


def test_conversations_are_begun_renamed_chosen_and_deleted(scripted, monkeypatch):
    row = scripted.dock.conversations
    scripted.asks("What is bright?")
    row.new.click()
    scripted.sees_all()
    assert row.choice.count() == 2
    assert scripted.layer("found answer boxes") is None
    row.renamed.emit(row.current, "Second opinion")
    scripted.sees_all()
    assert row.choice.currentText() == "Second opinion"
    row.choice.setCurrentIndex(0)
    row.choice.activated.emit(0)
    scripted.sees_all()
    assert scripted.card.question.text() == "What is bright?"
    assert scripted.layer("found answer boxes") is not None
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    row.remove.click()
    scripted.sees_all()
    assert row.choice.count() == 1


def test_conversations_are_brought_back(scripted):
    scripted.asks("What is bright?")
    dock = scripted.dock
    layer = dock.image.layer
    dock._open(None)
    assert not dock.reading.transcript.cards
    dock._open(layer)
    scripted.waits(lambda: dock.session is not None and dock.resume._offered != ())
    assert "1 question" in str(dock.resume._offered[0])
    dock.resume.resume.click()
    scripted.sees_all()
    assert scripted.last.question == "What is bright?"
    assert len(scripted.card.claims.rows) == 5
    scripted.clicks(scripted.card.claims.rows[LEFT])
    scripted.waits(lambda: scripted.lit()[0] == [LEFT])
    scripted.asks("What is dark?")
    assert len(scripted.exchanges) == 2


def test_damaged_records_of_a_conversation_are_reported(scripted, reported):
    scripted.asks("What is bright?")
    scripted.asks("What is dark?")
    dock = scripted.dock
    layer, image = dock.image.layer, dock.session.ledger.image
    dock._open(None)
    (path,) = resumable(image, "ask")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(b"record", b"reXord", 1)
    path.write_bytes(b"".join(lines))
    dock._open(layer)
    scripted.waits(lambda: dock.session is not None and dock.resume._offered != ())
    dock.resume.resume.click()
    scripted.waits(lambda: any("1 record is damaged" in text for text in reported))


def test_objects_are_offered_and_can_be_left_out(asker):
    values = np.zeros(asker.dock.session.volume.shape, np.uint8)
    values[10:14, 10:20, 10:20] = 1
    affine = asker.dock.session.volume.affine
    asker.viewer.add_layer(Labels(values, name="cyst", affine=affine))
    objects = asker.dock.along.objects
    assert objects.title == "Objects: 1 of 1"
    asker.asks("What is the volume of the cyst?")
    assert asker.last.answer.answered
    objects.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    asker.asks("What is the volume of the cyst?")
    assert not asker.last.answer.answered
    assert "not answered" in asker.card.state.text()


def test_what_a_tool_did_is_a_step_and_a_layer(scripted):
    values = np.zeros(scripted.dock.session.volume.shape, np.uint8)
    values[10:14, 10:20, 10:20] = 1
    affine = scripted.dock.session.volume.affine
    mine = scripted.viewer.add_labels(values, name="cyst", affine=affine)
    scripted.dock.along.tools.boxes["measure"].setChecked(True)
    scripted.asks("Use a tool")
    assert "1 tool step" in scripted.card.steps.text()
    scripted.card.steps.expand()
    assert "measure(object=cyst)" in scripted.card.steps_text.toPlainText()
    assert "mL" in scripted.card.steps_text.toPlainText()
    assert list(scripted.layer("found step boxes").features["phrase"]) == ["measure: cyst"]
    assert np.array_equal(mine.data, values)


def test_nothing_is_asked_without_words(asker, monkeypatch):
    reported = []
    monkeypatch.setattr(
        "napari_medvlm.widgets.runtime.notify.show", lambda error: reported.append(str(error))
    )
    asker.dock.run.run.click()
    assert reported == ["The question is empty. Type a question or choose one from Templates."]


def test_what_cannot_be_asked_stays_in_the_box(scripted):
    scripted.dock.along.view.where.setCurrentIndex(3)
    scripted.dock.box.write("What is bright?")
    scripted.dock.run.run.click()
    scripted.waits(lambda: scripted.dock.box.text == "What is bright?")
    assert not scripted.exchanges


def test_closing_the_dock_leaves_no_layers_and_no_worker(scripted):
    scripted.asks("What is bright?")
    runner = scripted.dock._runner
    docks = scripted.viewer.window._wrapped_dock_widgets
    next(dock for name, dock in docks.items() if name.startswith("Ask")).destroyOnClose()
    scripted.waits(lambda: scripted.layer("found answer boxes") is None and not runner.pids)
    assert "Q:" not in scripted.story
    with scripted.qtbot.waitSignal(scripted.dock.destroyed):
        scripted.dock.deleteLater()


def test_the_image_may_be_closed_while_an_answer_is_shown(scripted, monkeypatch):
    errors = []
    monkeypatch.setattr("napari.utils.notifications.show_error", errors.append)
    scripted.asks("What is bright?")
    scripted.viewer.layers.clear()
    scripted.waits(lambda: scripted.dock.session is None)
    assert not errors
    assert not scripted.viewer.canvas.overlays.text.text


def test_the_answers_of_a_report_are_a_conversation_with_linked_regions(open_ask):
    volume = replace(make_phantom()[0], series="1.2.3")
    asker = open_ask(volume)
    box = nmv.Box.at_index(volume, (8, 10, 8), (16, 30, 20))
    reported = [
        Evaluation("What is bright?", "Two ellipsoids.", (), None, None, "vlm a"),
        Evaluation("What is bright?", "One is on the left.", (box,), None, None, "vlm a"),
    ]
    bring_in(asker.viewer, {"1.2.4"}, reported)
    assert len(asker.dock.session.conversations) == 1
    bring_in(asker.viewer, {"1.2.3"}, reported)
    asker.waits(lambda: len(asker.exchanges) == 1)
    asker.sees_all()
    asker.waits(lambda: asker.last.id in asker.dock.reading.transcript.cards)
    card = asker.card
    assert card.question.text() == "What is bright?"
    assert card.state.text() == "vlm a"
    assert "comes from a DICOM report" in card.notes.text()
    assert asker.dock.conversations.choice.currentText() == "From a report"
    asker.clicks(card.claims.rows[1])
    asker.waits(lambda: asker.lit()[0] == [1])
    assert np.allclose(asker.viewer.dims.point, box.corners().mean(axis=0), atol=2)
