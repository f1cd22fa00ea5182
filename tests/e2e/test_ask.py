"""The Ask dock in a real window: questions, answers, and where their sentences come from."""

import contextlib
import os
import signal

import numpy as np
import pytest
from napari.layers import Labels, Layer
from numpy.testing import assert_allclose
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from benchmarks.tasks import mni_truths
from napari_medvlm.backends import registry
from napari_medvlm.conversation import State, Verdict
from napari_medvlm.geometry import display_grid, displayed
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.view import Plane, axis_across, show_plane
from tests.conftest import make_phantom
from tests.foreign.medvlm_foreign_answers import COUNTED, REFUSED, THINKING
from tests.worker.conftest import use_foreign

VENTRICLES = "Which lateral ventricle is larger, and by how much?"
LEFT, RIGHT, BOTH, UNLINKED, OUTSIDE = range(5)


class Asker:
    """What a person does in the dock, and what they see."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    def waits(self, condition, timeout_ms=60_000):
        self.qtbot.waitUntil(condition, timeout=timeout_ms)

    def writes(self, question):
        """Type a question and press Enter."""
        before = [e.id for e in self.exchanges]
        self.dock.box.write(question)
        QTest.keyClick(self.dock.box.edit, Qt.Key.Key_Return)
        self.waits(lambda: [e.id for e in self.exchanges] != before)

    def asks(self, question):
        self.writes(question)
        self.waits(lambda: not self.dock.session.pending)
        self.sees_all()

    def sees_all(self):
        self.qtbot.wait(30)
        QApplication.processEvents()

    @property
    def exchanges(self):
        return self.dock.session.active.exchanges

    @property
    def last(self):
        return self.exchanges[-1]

    @property
    def card(self):
        return self.dock.reading.transcript.cards[self.last.id]

    def clicks(self, row):
        QTest.mouseClick(row, Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def layer(self, role):
        for layer in self.viewer.layers:
            if layer.metadata.get("medvlm", {}).get("role") == role:
                return layer
        return None

    def lit(self):
        """The sentences that are framed, and the callouts of the boxes with the thickest edges."""
        framed = [place for place, row in enumerate(self.card.claims.rows) if row.lit]
        boxes = self.layer("found answer boxes")
        widths = np.array(boxes.edge_width)
        thick = widths > widths.min() if np.ptp(widths) else widths > 1.5 * self._thin()
        return framed, [c for c, on in zip(boxes.features["callout"], thick, strict=True) if on]

    def _thin(self):
        return 0.8 / min(self.dock.session.volume.spacing)

    @property
    def story(self):
        return self.viewer.canvas.overlays.text.text


@pytest.fixture(autouse=True)
def foreign(monkeypatch):
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    docks = []

    def open_dock(volume):
        viewer = make_napari_viewer(show=True)
        viewer.add_layer(Layer.create(*layer_data(volume)))
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Ask")
        docks.append(dock)
        asker = Asker(viewer, dock, qtbot)
        asker.waits(lambda: dock.session is not None)
        return asker

    yield open_dock
    for dock in docks:
        with contextlib.suppress(RuntimeError):  # the test has closed it
            dock.close_session()


@pytest.fixture
def asker(open_dock):
    return open_dock(make_phantom()[0])


@pytest.fixture
def scripted(asker):
    choose(asker, "scripted")
    return asker


def choose(asker, backend):
    box = asker.dock.backend
    box.setCurrentIndex(box.findData(backend))
    box.activated.emit(box.currentIndex())


def test_a_brain_is_asked_about_and_its_sentences_lead_to_their_places(open_dock):
    volume, truths = mni_truths(2)
    asker = open_dock(volume)
    values = np.zeros(volume.shape, np.uint8)
    values[truths["left ventricle"]] = 1
    values[truths["right ventricle"]] = 2
    shown = displayed(values, volume.grid, order=0)
    names = ["none", "left lateral ventricle", "right lateral ventricle"]
    layer = Labels(
        shown,
        affine=display_grid(volume.grid).affine,
        features={"index": [0, 1, 2], "name": names},
        visible=False,
    )
    asker.viewer.add_layer(layer)
    asker.asks(VENTRICLES)
    answer = asker.last.answer
    assert answer.answered
    assert "mL" in answer.text
    assert len(asker.card.claims.rows) == 3
    left = next(n for n, c in enumerate(answer.claims) if c.text.startswith("The left") and n)
    asker.clicks(asker.card.claims.rows[left])
    (region,) = answer.claims[left].regions
    assert_allclose(asker.viewer.dims.point, region.center_mm, atol=2)
    framed, callouts = asker.lit()
    assert framed == [left]
    assert callouts == [f"1,{left + 1}"]
    masks = asker.layer("found answer masks")
    inside = np.argwhere(np.asarray(masks.data) == 1)
    worlds = np.array([masks.data_to_world(at) for at in inside[::50]])
    sides = {True: truths["left ventricle"], False: truths["right ventricle"]}
    zyx = np.round(volume.grid.to_index(worlds)).astype(int)
    assert sides[bool(worlds[0, 2] > 0)][tuple(zyx.T)].all()
    assert "Q: Which lateral" in asker.story
    assert "Axial" in asker.story
    assert np.array_equal(layer.data, shown)


@pytest.mark.parametrize("role", ["found answer boxes", "found answer callouts"])
def test_a_region_that_is_selected_lights_up_its_sentence(scripted, role):
    scripted.asks("What is bright?")
    place = list(scripted.layer(role).features["callout"]).index("2,3")
    scripted.layer(role).selected_data = {place}
    QApplication.processEvents()
    framed, callouts = scripted.lit()
    assert framed == [RIGHT]
    assert callouts == ["2,3"]
    scripted.layer(role).selected_data = {1 - place}
    QApplication.processEvents()
    assert scripted.lit() == ([LEFT], ["1,3"])


def test_a_sentence_about_a_slice_brings_its_plane(scripted):
    show_plane(scripted.viewer, Plane.SAGITTAL)
    volume = scripted.dock.session.volume
    scripted.viewer.dims.point = tuple(volume.grid.to_world((12, 20, 33)))
    scripted.asks("What is bright?")
    (sent,) = scripted.last.sent
    assert (sent.slice.axis, sent.slice.index) == (2, 33)
    show_plane(scripted.viewer, Plane.AXIAL)
    scripted.viewer.dims.point = tuple(volume.grid.to_world((2, 2, 2)))
    scripted.clicks(scripted.card.claims.rows[RIGHT])
    assert axis_across(scripted.viewer) == 2
    at = volume.grid.to_index(scripted.viewer.dims.point)
    assert round(float(at[2])) == 33
    assert scripted.lit() == ([RIGHT], ["2,3"])


def test_the_mouse_need_only_rest_on_a_sentence(scripted):
    scripted.asks("What is bright?")
    scripted.card.claims.rows[BOTH]._rested.start()
    scripted.waits(lambda: scripted.lit() == ([BOTH], ["1,3", "2,3"]))


def test_keys_lead_from_sentence_to_sentence(scripted):
    from napari_medvlm.widgets import ask_commands

    scripted.asks("What is bright?")
    ask_commands.next_sentence(scripted.viewer)
    ask_commands.next_sentence(scripted.viewer)
    assert scripted.lit()[0] == [RIGHT]
    ask_commands.previous_sentence(scripted.viewer)
    assert scripted.lit()[0] == [LEFT]


def test_what_was_sent_is_seen_and_leads_to_its_slice(scripted):
    view = scripted.dock.along.view
    view.where.setCurrentIndex(2)
    view.every.setValue(12)
    scripted.asks("What is bright?")
    card, volume = scripted.card, scripted.dock.session.volume
    assert card.strip.isVisible()
    assert card.strip.count() == len(scripted.last.sent) == 4
    assert "4 pictures were sent: 17 %" in card.coverage.text()
    item = card.strip.item(3)
    card.strip.itemClicked.emit(item)
    at = volume.grid.to_index(scripted.viewer.dims.point)
    assert round(float(at[0])) == scripted.last.sent[3].slice.index


def test_text_comes_as_it_is_written_and_thinking_is_folded_away(scripted):
    scripted.writes("What is bright?")
    seen = []
    scripted.waits(lambda: bool(seen.append(scripted.card.text.toPlainText()) or seen[-1]))
    scripted.waits(lambda: not scripted.dock.session.pending)
    scripted.sees_all()
    assert "think>" not in "".join(seen)
    assert "left one is bright" in scripted.card.text.toPlainText()
    assert "**" not in scripted.card.text.toPlainText()
    assert not scripted.card.thinking.is_open
    scripted.card.thinking.open()
    assert scripted.card.thinking_text.toPlainText() == THINKING


def test_what_is_not_linked_and_what_was_refused_is_seen(scripted):
    scripted.asks("What is bright?")
    rows = scripted.card.claims.rows
    assert "not linked" in rows[UNLINKED].state.text()
    assert rows[UNLINKED].find.isVisible()
    assert not rows[LEFT].find.isVisible()
    assert REFUSED in rows[OUTSIDE].problems.text()
    assert len(scripted.layer("found answer boxes").data) == 2
    assert COUNTED in scripted.card.notes.text()


def test_a_sentence_is_found_afterwards_and_says_by_whom(scripted):
    values = np.zeros(scripted.dock.session.volume.shape, np.uint8)
    values[10:14, 18:22, 20:24] = 1
    scripted.asks("What is bright?")
    scripted.card.claims.rows[UNLINKED].find.click()
    scripted.waits(lambda: not scripted.dock.session.pending)
    scripted.sees_all()
    row = scripted.card.claims.rows[UNLINKED]
    claim = scripted.last.answer.claims[UNLINKED]
    assert "grounded afterwards" in row.state.text() or claim.problems


def test_marks_and_notes_are_kept(scripted):
    scripted.asks("What is bright?")
    row = scripted.card.claims.rows[LEFT]
    scripted.clicks(row)
    row.marks[Verdict.WRONG].click()
    scripted.sees_all()
    row.note.setText("it is dark")
    row.note.editingFinished.emit()
    scripted.sees_all()
    mark = scripted.last.marks[LEFT]
    assert (mark.verdict, mark.note) == (Verdict.WRONG, "it is dark")
    assert scripted.lit()[0] == [LEFT]
    scripted.card.copy.click()
    assert "[wrong: it is dark]" in QGuiApplication.clipboard().text()
    row.marks[Verdict.WRONG].click()
    scripted.sees_all()
    assert scripted.last.marks == {}


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


def test_one_switch_hides_all_of_an_answer(scripted):
    scripted.asks("What is bright?")
    scripted.dock.reading.in_picture.setChecked(False)
    ours = [x for x in scripted.viewer.layers if x.name.startswith("Answer")]
    assert ours
    assert not any(layer.visible for layer in ours)
    assert "Q:" not in scripted.story
    scripted.dock.reading.in_picture.setChecked(True)
    assert all(layer.visible for layer in ours)
    assert "Q: What is bright?" in scripted.story


def test_a_sentence_goes_on_as_objects_of_the_segment_dock(scripted):
    from napari_medvlm.widgets.commands import dock_of

    scripted.asks("What is bright?")
    scripted.clicks(scripted.card.claims.rows[LEFT])
    scripted.dock.reading.hand_over.click()
    segment = dock_of(scripted.viewer)
    scripted.waits(lambda: segment.session is not None and bool(segment.session.now.objects))
    scripted.waits(lambda: not segment.session.pending_prompts())
    (live,) = segment.session.now.objects.values()
    assert live.info.name == "left"
    segment.close_session()


def test_conversations_are_brought_back(scripted):
    scripted.asks("What is bright?")
    dock = scripted.dock
    layer = dock.image.layer
    dock._open(None)
    assert not dock.reading.transcript.cards
    dock._open(layer)
    scripted.waits(lambda: dock.session is not None and dock.resume._offered is not None)
    assert "1 question" in str(dock.resume._offered)
    dock.resume.resume.click()
    scripted.sees_all()
    assert scripted.last.question == "What is bright?"
    assert len(scripted.card.claims.rows) == 5
    scripted.clicks(scripted.card.claims.rows[LEFT])
    assert scripted.lit()[0] == [LEFT]
    scripted.asks("What is dark?")
    assert len(scripted.exchanges) == 2


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


def test_nothing_is_asked_without_words(asker, monkeypatch):
    told = []
    monkeypatch.setattr("napari_medvlm.widgets.report.show", lambda error: told.append(str(error)))
    asker.dock.run.run.click()
    assert told == ["There is no question. Write one, or take one from Templates."]


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
