"""Letting the window live while an example waits."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

from qtpy.QtCore import QEventLoop, QTimer

HOME = TemporaryDirectory(prefix="napari-medvlm-example-")
"""Sessions and settings of an example, apart from the user's; removed at its end."""
os.environ["NAPARI_MEDVLM_HOME"] = HOME.name


def wait_until(condition: Callable[[], bool], timeout_s: float = 600) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + timeout_s
    while not condition():
        settle(0.02)
        if time.monotonic() > end:
            sys.exit(f"It took longer than {timeout_s:.0f} s.")


def settle(seconds: float = 0.6) -> None:
    """Let the window draw."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
