"""Texts from servers, models and files shown as they are: Qt takes some for HTML otherwise.

HTML in a label or tooltip can name a picture, which Qt then reads from the disk or the network.
"""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

NO_TAG = "<\u200b"
"""A less-than sign that begins no tag: a space of no width follows it."""


def plain(text: str) -> str:
    """A text that tooltips, dialogs and notifications show as it is."""
    return text.replace("<", NO_TAG) if "<" in text else text


class PlainLabel(QLabel):
    """A label whose text is never HTML."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
