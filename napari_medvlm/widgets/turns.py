"""Drawing in pieces, so that the window never stalls for long."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

from napari_medvlm.widgets.report import guarded

BETWEEN_MS = 10
"""How long the window lives between two pieces."""


class Turns(QObject):
    """Functions that are called one after the other, each in a turn of the event loop of its own.

    Parameters
    ----------
    parent
        When it is deleted, nothing is called any more.
    pieces
        Called in this order on the window's thread; what one raises is told, and the next goes on.
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
        piece = self._left.pop(0)
        if self._left:
            self._timer.start(BETWEEN_MS)
        piece()
