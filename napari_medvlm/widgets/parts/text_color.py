"""Colours of text that are readable in dark and in light themes."""

from __future__ import annotations

from enum import Enum

from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QWidget

MIDDLE = 127
"""Text that is lighter than this stands on a dark background."""


class TextColor(Enum):
    """A colour on a dark and on a light background.

    On the backgrounds of napari's themes each has at least the contrast of 4.5 that WCAG 2.2 asks
    for.
    """

    RED = "#ff8577", "#a01f17"
    AMBER = "#ffb454", "#6f4700"
    GREEN = "#5fc27e", "#17592b"
    GRAY = "#a9a9b0", "#55555c"

    def on(self, widget: QWidget) -> str:
        """The colour for text in a widget, by the theme that its window has now."""
        window = widget.window()
        window.ensurePolished()
        text = window.palette().color(QPalette.ColorRole.WindowText)
        return self.value[0 if text.lightness() > MIDDLE else 1]
