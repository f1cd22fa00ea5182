"""A field for several lines of text that is seen as one in napari's themes."""

from __future__ import annotations

from qtpy.QtWidgets import QPlainTextEdit, QWidget

STYLE = "QPlainTextEdit { border: 1px solid rgb(128, 128, 128); border-radius: 2px; padding: 2px; }"
"""napari's themes draw a frame around single lines of text only; gray is seen in all of them."""


class TextField(QPlainTextEdit):
    """Qt's field for plain text with a frame."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setStyleSheet(STYLE)
