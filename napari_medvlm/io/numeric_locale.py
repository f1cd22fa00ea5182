"""Numbers with a decimal point, whatever the language of the user interface."""

from __future__ import annotations

import locale
import threading


class DecimalPoint:
    """A context in which C libraries read and write numbers with a decimal point.

    Qt sets the locale of the process to the user's. Where that has a decimal comma, ITK reads the
    ``1.5`` of an NRRD header as 1 and writes ``1,5``. Threads may be inside at the same time; the
    earlier locale returns when none is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._earlier = "C"

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._earlier = locale.setlocale(locale.LC_NUMERIC)
                locale.setlocale(locale.LC_NUMERIC, "C")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                locale.setlocale(locale.LC_NUMERIC, self._earlier)


decimal_point = DecimalPoint()
"""The one of the process, whose locale it is."""
