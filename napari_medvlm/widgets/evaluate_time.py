"""How long some work will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

MINUTE_S = 60
HOUR_S = 3600


class TimeLeft:
    """Judged by how long it took to come from the first fraction told to the last.

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
        now = self._now_s()
        if self._first is None:
            self._first = self._last = fraction, now
        if fraction > self._last[0]:
            self._last = fraction, now
        done, took = self._last[0] - self._first[0], self._last[1] - self._first[1]
        if done <= 0:
            return ""
        left = (1 - self._last[0]) * took / done - (now - self._last[1])
        return f"{_words(max(left, 0.0))} left"


def _words(seconds: float) -> str:
    if seconds < MINUTE_S:
        return f"{max(round(seconds), 1)} s"
    if seconds < HOUR_S:
        return f"{round(seconds / MINUTE_S)} min"
    return f"{seconds / HOUR_S:.1f} h"
