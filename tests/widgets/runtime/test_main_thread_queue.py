"""Calls from other threads: all of them, on the window's thread, and none when it is gone."""

import threading

from qtpy.QtCore import QObject

from napari_medvlm.widgets.runtime.threads import MainThreadQueue


def test_values_queued_meanwhile_are_delivered_together_on_the_main_thread(qtbot):
    parent, reported = QObject(), []
    queued = MainThreadQueue(
        lambda given: reported.append((threading.current_thread(), given)), parent
    )
    others = [threading.Thread(target=queued, args=(n,)) for n in range(3)]
    for other in others:
        other.start()
        other.join()
    assert not reported
    qtbot.waitUntil(lambda: bool(reported))
    assert reported == [(threading.main_thread(), [0, 1, 2])]


def test_nothing_is_reported_to_a_window_that_is_gone(qtbot):
    parent, reported = QObject(), []
    queued = MainThreadQueue(reported.append, parent)
    queued("before")
    with qtbot.waitSignal(queued.destroyed):
        parent.deleteLater()
    queued("after")
    qtbot.wait(1)
    assert not reported or reported == [["before"]]
