"""Calls from any thread that are made on the window's, one after the other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal


class Queued(QObject):
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
        self._given: list[object] = []
        self._guard = threading.Lock()
        self._wake.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def __call__(self, *given: object) -> None:
        """Have the function called with these arguments, as one item, among others."""
        with self._guard:
            self._given.append(given[0] if len(given) == 1 else given)
            first = len(self._given) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # the window is gone
                self._wake.emit()

    def _run(self) -> None:
        with self._guard:
            given, self._given = self._given, []
        if given:
            self._function(given)
