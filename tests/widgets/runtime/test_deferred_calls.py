"""Pieces of drawing: in order, apart, and begun again when something changed meanwhile."""

import pytest
from qtpy.QtCore import QObject, QTimer

from napari_medvlm.widgets.runtime.threads import DeferredCalls


@pytest.fixture
def parent(qtbot):
    return QObject()


def test_the_window_lives_between_two_pieces(qtbot, parent):
    seen = []
    turns = DeferredCalls(parent, lambda: seen.append("first"), lambda: seen.append("second"))
    ticks = QTimer(parent)
    ticks.timeout.connect(lambda: seen.append("tick"))
    ticks.start(0)
    turns.begin()
    assert turns.is_due
    qtbot.waitUntil(lambda: not turns.is_due)
    assert seen.index("first") < seen.index("tick", seen.index("first")) < seen.index("second")


def test_what_changes_meanwhile_is_drawn_from_the_first_piece_on(qtbot, parent):
    seen = []

    def first():
        seen.append("first")
        if len(seen) == 1:
            turns.begin()

    turns = DeferredCalls(parent, first, lambda: seen.append("second"))
    turns.begin()
    qtbot.waitUntil(lambda: "second" in seen)
    assert seen == ["first", "first", "second"]


def test_asking_again_brings_it_forward_but_never_puts_it_off(qtbot, parent):
    seen = []
    turns = DeferredCalls(parent, lambda: seen.append(1))
    turns.begin(60_000)
    turns.begin(20)
    turns.begin(60_000)
    qtbot.waitUntil(lambda: seen == [1], timeout=300_000)
    assert not turns.is_due


def test_a_piece_that_fails_does_not_keep_the_next_from_being_drawn(qtbot, parent, monkeypatch):
    reported, seen = [], []
    monkeypatch.setattr("napari_medvlm.widgets.runtime.notify.show", reported.append)

    def fails():
        raise ZeroDivisionError

    turns = DeferredCalls(parent, fails, lambda: seen.append("second"))
    turns.begin()
    qtbot.waitUntil(lambda: seen == ["second"])
    assert len(reported) == 1
