"""Letting the window live while an example waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtWidgets import QApplication


def wait_until(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + timeout_s
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > end:
            raise TimeoutError(f"It took longer than {timeout_s} s.")


def settle(seconds: float = 0.6) -> None:
    """Let the window draw."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)
