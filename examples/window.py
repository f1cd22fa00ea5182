"""Letting the window live while an example waits."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import napari
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QLabel

TOOK = re.compile(r" · \d+\.\d s$")
"""The end of the line below a question."""

HOME = TemporaryDirectory(prefix="napari-medvlm-example-")
"""Sessions and settings of an example, apart from the user's; removed at its end."""
os.environ["NAPARI_MEDVLM_HOME"] = HOME.name


def open_brain(title: str, dock: str, width: int, height: int) -> tuple[napari.Viewer, Any]:
    """A viewer of the MNI152 brain, and a dock of the plugin that has opened it."""
    viewer = napari.Viewer(title=title)
    viewer.window.resize(width, height)
    viewer.open_sample("napari-medvlm", "mni152")
    return viewer, open_dock(viewer, dock)


def open_dock(viewer: napari.Viewer, name: str) -> Any:
    """A dock of the plugin that has opened the image."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", name)
    wait_until(lambda: dock.session is not None)
    return dock


def hide_times(dock: Any) -> None:
    """Remove the seconds that answers took from a dock: they are those of one computer."""
    for label in dock.findChildren(QLabel):
        label.setText(TOOK.sub("", label.text()))


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
