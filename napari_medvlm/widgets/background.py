"""Work off the window's thread, whose errors are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_medvlm.widgets.report import show


def in_background(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
    """Do some work on another thread, and something with its result on the window's."""
    from superqt.utils import create_worker

    worker = create_worker(work, _ignore_errors=True)
    worker.returned.connect(done)
    worker.errored.connect(show)
    worker.start()
