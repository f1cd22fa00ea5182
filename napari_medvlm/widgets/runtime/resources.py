"""What a dock leaves when it is closed: nothing."""

from __future__ import annotations

import gc
import logging
from typing import Protocol

from napari_medvlm.worker.runner import Runner

logger = logging.getLogger(__name__)


class Closes(Protocol):
    """Something that can be closed."""

    def close(self) -> None:
        """Free what it holds."""


class PausedGC:
    """While it is open no click waits for Python to look through the whole window for garbage.

    That takes a fifth of a second. What was there before is looked through again afterwards.
    """

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Have everything looked through again."""
        gc.unfreeze()


def close_all(opened: list[Closes], runner: Runner | None = None) -> None:
    """Close what is open for an image, last first, and then the runner.

    Needs no widget, so that it can follow a dock's end.
    """
    while opened:
        try:
            opened.pop().close()
        except RuntimeError:  # the window is gone, and its layers with it
            logger.debug("Closed after the window", exc_info=True)
    if runner is not None:
        runner.stop()
