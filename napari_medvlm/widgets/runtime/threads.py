"""Calls from any thread that are made on the window's, one after the other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_medvlm.layers.display.redraw_pace import pace
from napari_medvlm.widgets.runtime.notify import guarded, show


class MainThreadQueue(QObject):
    """A function that is called later on the window's thread, with all that came in meanwhile.

    Parameters
    ----------
    function
        Called with the list of what was given since the last time, oldest first.
    parent
        When it is deleted, nothing is called any more.
    """

    _wake = Signal()

    def __init__(self, function: Callable[[list[object]], None], parent: QObject) -> None:
        super().__init__(parent)
        self._function = function
        self._pending: list[object] = []
        self._guard = threading.Lock()
        self._wake.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def __call__(self, *values: object) -> None:
        """Have the function called with these arguments, as one item, among others."""
        with self._guard:
            self._pending.append(values[0] if len(values) == 1 else values)
            first = len(self._pending) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # the window is gone
                self._wake.emit()

    def _run(self) -> None:
        with self._guard:
            values, self._pending = self._pending, []
        if values:
            self._function(values)


BETWEEN_MS = 10
"""How long the window lives between two pieces."""


class DeferredCalls(QObject):
    """Functions that are called one after the other, each in a turn of the event loop of its own.

    What was changed before, also by others, is drawn first, see `RedrawPace`.

    Parameters
    ----------
    parent
        When it is deleted, nothing is called any more.
    pieces
        Called in this order on the window's thread; an error is shown, and the next is called.
    """

    def __init__(self, parent: QObject, *pieces: Callable[[], None]) -> None:
        super().__init__(parent)
        self._pieces = [guarded(piece) for piece in pieces]
        self._left: list[Callable[[], None]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)

    @property
    def is_due(self) -> bool:
        """Whether there is a piece to come."""
        return self._timer.isActive()

    def begin(self, wait_ms: int = BETWEEN_MS) -> None:
        """Call all of them from the first on, after at most this time."""
        self._left = list(self._pieces)
        if not 0 <= self._timer.remainingTime() <= wait_ms:
            self._timer.start(wait_ms)

    def _next(self) -> None:
        if pace.wait_ms:
            self._timer.start(pace.wait_ms)
            return
        piece = self._left.pop(0)
        if self._left:
            self._timer.start(BETWEEN_MS)
        piece()
        pace.note_change()


def in_background(
    work: Callable[[], Any],
    done: Callable[[Any], None],
    failed: Callable[[Exception], object] | None = None,
) -> None:
    """Do some work on another thread, and something with its result on the window's.

    Parameters
    ----------
    failed
        Called with the error on the window's thread; `None`: the error is shown.
    """
    from superqt.utils import create_worker

    worker = create_worker(work, _ignore_errors=True)
    worker.returned.connect(done)
    worker.errored.connect(failed or show)
    worker.start()
