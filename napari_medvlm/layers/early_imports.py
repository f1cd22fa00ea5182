"""Import what napari needs to show regions before the window waits for it."""

from __future__ import annotations

import contextlib
import threading
from functools import cache
from importlib import import_module

MODULES = ("pandas", "skimage.color.colorconv", "skimage.exposure", "scipy.linalg")
"""What napari imports with the first layer of shapes or labels; it takes more than 0.4 s."""


@cache
def import_early() -> threading.Thread:
    """Begin to import the modules on a thread, once in a process; the thread is returned."""
    thread = threading.Thread(target=_import, name="medvlm-imports")
    thread.start()
    return thread


def _import() -> None:
    for name in MODULES:
        with contextlib.suppress(ImportError):  # another napari does not need it
            import_module(name)
