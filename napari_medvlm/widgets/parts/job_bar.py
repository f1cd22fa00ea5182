"""How far some work is, and Cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Any

from qtpy.QtCore import Signal

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.widgets.parts.progress import ProgressWidget
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background


class JobBar(ProgressWidget):
    """The progress of work off the window's thread; hidden while there is none.

    Newer work replaces older work. Errors are shown.

    Parameters
    ----------
    tooltip
        What Cancel does.

    Attributes
    ----------
    busy_changed
        Work began or ended.
    """

    busy_changed = Signal()

    def __init__(self, tooltip: str) -> None:
        super().__init__(tooltip)
        self._stop = Event()
        self.busy = False
        self.cancel_requested.connect(self.cancel)
        self._progressed = MainThreadQueue(self._on_progress, self)
        self.hide()

    def start(
        self, work: Callable[[Progress], Any], done: Callable[[Any], object], message: str
    ) -> None:
        """Do some work off this thread until it ends or is cancelled.

        Parameters
        ----------
        work
            Given the progress callback, which raises on cancel.
        done
            Called with its result on the window's thread, unless it was cancelled.
        message
            What is shown until progress is reported.
        """
        self._stop.set()
        self._stop = stop = Event()
        self.destroyed.connect(stop.set)

        def progress(fraction: float, message: str = "") -> None:
            if stop.is_set():
                raise Cancelled
            self._progressed(stop, fraction, message)

        def run() -> Any:
            try:
                return work(progress)
            except MedVLMError:
                if stop.is_set():
                    raise Cancelled from None  # nobody waits for it any more
                raise
            finally:
                if not stop.is_set():
                    self._progressed(stop, None, "")

        self.show_progress(None, message)
        self._set_busy(True)
        in_background(run, guarded(lambda result: None if stop.is_set() else done(result)))

    def cancel(self) -> None:
        """Stop the work."""
        self._stop.set()
        self._set_busy(False)

    def _on_progress(self, updates: list[Any]) -> None:
        stop, fraction, message = updates[-1]
        if stop is not self._stop or stop.is_set():
            return
        if fraction is None:
            self._set_busy(False)
            return
        self.show_progress(fraction or None, message)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.setVisible(busy)
        self.busy_changed.emit()


MINUTE_S = 60
HOUR_S = 3600


class TimeLeft:
    """Judged by how long it took to come from the first fraction reported to the last.

    Parameters
    ----------
    now_s
        A clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] = (0.0, 0.0)

    def words(self, fraction: float) -> str:
        """What is left, as *2 min left*; empty while nothing is known."""
        current_s = self._now_s()
        if self._first is None:
            self._first = self._last = fraction, current_s
        if fraction > self._last[0]:
            self._last = fraction, current_s
        done, took = self._last[0] - self._first[0], self._last[1] - self._first[1]
        if done <= 0:
            return ""
        left = (1 - self._last[0]) * took / done - (current_s - self._last[1])
        return f"{_words(max(left, 0.0))} left"


def _words(seconds: float) -> str:
    if seconds < MINUTE_S:
        return f"{max(round(seconds), 1)} s"
    if seconds < HOUR_S:
        return f"{round(seconds / MINUTE_S)} min"
    return f"{seconds / HOUR_S:.1f} h"
