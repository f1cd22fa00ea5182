"""The list of sessions of an image in a real window, used by keyboard."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit, QMessageBox

from napari_medvlm.io.journal_files import journals, title_of
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from napari_medvlm.widgets.sessions.dialog import SessionsDialog
from tests.e2e.conftest import LEFT, RIGHT


def open_dialogs():
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, SessionsDialog)]


def listed(dialog):
    rows = [dialog.table.topLevelItem(k) for k in range(dialog.table.topLevelItemCount())]
    return [[item.text(column) for column in range(3)] for item in rows]


def lists(person, count):
    """Press the button, and wait for the rows."""
    person.dock.sessions.click()
    person.waits(lambda: any(not d.is_closed for d in open_dialogs()))
    (dialog,) = (d for d in open_dialogs() if not d.is_closed)
    person.waits(lambda: len(listed(dialog)) == count)
    return dialog


def presses(widget, key, modifier=Qt.KeyboardModifier.NoModifier):
    """Press a key once the window has the focus, which it gets back after a question."""
    window = widget.window()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 60_000)
    widget.setFocus()
    QTest.keyClick(widget, key, modifier)


@pytest.fixture
def two_sessions(person):
    """A session with one prompt, and after it the one that is open, with two."""
    dock = person.dock
    dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    layer = dock.image.layer
    dock._open(layer)
    person.waits(lambda: dock.session is not None and dock.resume.isVisible())
    dock.resume.decline.click()
    dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert dock.session._engine._journal.flush()
    return person


def test_an_earlier_session_is_opened_by_enter_and_the_open_one_stays_in_the_list(two_sessions):
    person = two_sessions
    dialog = lists(person, 2)
    assert listed(dialog) == [
        ["Untitled", "Segment", "1 object with 2 prompts (open)"],
        ["Untitled", "Segment", "1 object with 1 prompt"],
    ]
    assert not dialog.open_button.isEnabled()
    presses(dialog.table, Qt.Key.Key_Down)
    assert dialog.open_button.isEnabled()
    presses(dialog.table, Qt.Key.Key_Return)
    person.waits(lambda: len(person.session.now.objects[1].prompts) == 1)
    person.waits_for_mask()
    assert person.sees(LEFT) == 1
    assert not person.dock.resume.isVisible()
    assert [row[2] for row in listed(lists(person, 2))] == [
        "1 object with 1 prompt (open)",
        "1 object with 2 prompts",
    ]


def test_a_session_is_renamed_by_f2_and_enter_does_not_open_it(two_sessions):
    person = two_sessions
    dialog = lists(person, 2)
    presses(dialog.table, Qt.Key.Key_Down)
    presses(dialog.table, Qt.Key.Key_F2)
    person.waits(lambda: dialog.table.findChild(QLineEdit) is not None)
    editor = dialog.table.findChild(QLineEdit)
    QTest.keyClicks(editor, "first reading")
    presses(editor, Qt.Key.Key_Return)
    person.waits(lambda: [row[0] for row in listed(dialog)] == ["Untitled", "first reading"])
    path = dialog.selected.path
    assert title_of(path) == "first reading"
    assert not dialog.is_closed
    presses(dialog.table, Qt.Key.Key_Escape)
    person.waits(lambda: dialog.is_closed)
    person.dock._open(person.dock.image.layer)
    person.waits(lambda: person.dock.resume.isVisible())
    assert any("first reading: 1 object" in str(s) for s in person.dock.resume._offered)


def test_a_session_is_deleted_after_a_question_and_restored_by_ctrl_z(two_sessions):
    person = two_sessions
    image = person.session.ledger.image
    dialog = lists(person, 2)
    presses(dialog.table, Qt.Key.Key_Delete)  # the one that is open: nothing is asked
    presses(dialog.table, Qt.Key.Key_Down)
    path = dialog.selected.path
    for answer, left in (("Cancel", 2), ("Delete", 1)):
        presses(dialog.table, Qt.Key.Key_Delete)
        person.waits(lambda: dialog.findChild(QMessageBox) is not None)
        box = dialog.findChild(QMessageBox)
        assert "1 object with 1 prompt" in box.text()
        next(b for b in box.buttons() if b.text().replace("&", "") == answer).click()
        person.waits(lambda: dialog.findChild(QMessageBox) is None)
        assert len(listed(dialog)) == left
    assert path not in journals(image)
    assert not path.exists()
    presses(dialog.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    person.waits(lambda: len(listed(dialog)) == 2)
    assert path in journals(image)
    assert dialog.selected.path == path


def test_sessions_of_ground_and_ask_are_opened_in_their_docks(person):
    ground, ask = (named_dock(person.viewer, title) for title in ("Ground", "Ask"))
    try:
        person.waits(lambda: ground.session is not None and ask.session is not None)
        ground.phrases.set_phrases(["liver"])
        ground.run.run.click()
        person.waits(lambda: list(ground.session.located) == ["liver"])
        ask.box.write("How large is the liver?")
        ask.run.run.click()
        person.waits(lambda: bool(ask.session.active.turns) and not ask.session.pending)
        layer = person.dock.image.layer
        for dock in (ground, ask):
            dock._open(layer)
        person.waits(lambda: ground.resume.isVisibleTo(ground) and ask.resume.isVisibleTo(ask))
        ground.phrases.set_phrases([])
        for row in range(2):
            dialog = lists(person, 2)
            assert [r[1:] for r in listed(dialog)] == [
                ["Ground", "1 phrase" + (" (open)" if row else "")],
                ["Ask", "1 question"],
            ]
            dialog.table.setCurrentItem(dialog.table.topLevelItem(row))
            presses(dialog.table, Qt.Key.Key_Return)
            dock = (ground, ask)[row]
            person.waits(lambda dock=dock: len(dock.session.ledger.records) > 0)
        assert list(ground.session.located) == ["liver"]
        assert ground.phrases.phrases == ["liver"]
        assert [turn.question for turn in ask.session.active.turns] == ["How large is the liver?"]
        assert not ground.resume.isVisibleTo(ground)
    finally:
        ground.close_dock()
        ask.close_dock()
