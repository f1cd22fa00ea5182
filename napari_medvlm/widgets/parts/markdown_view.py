"""Text that a model wrote, as Markdown; it can load nothing and lead nowhere."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QMouseEvent, QResizeEvent, QTextDocument, QWheelEvent
from qtpy.QtWidgets import QFrame, QSizePolicy, QTextBrowser

PLAIN_FROM = 20_000
"""A text that is longer is shown as it is: laying it out again as it grows would take too long."""


class MarkdownView(QTextBrowser):
    """As high as its text, so that what it stands in scrolls. HTML in the text is not read.

    Attributes
    ----------
    pressed
        The person pressed the mouse on it.
    """

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(2)
        self._shown: str | None = None

    def show_markdown(self, text: str) -> None:
        """Show another text."""
        if text == self._shown:
            return
        self._shown = text
        if len(text) > PLAIN_FROM:
            self.setPlainText(text)
        else:
            self.document().setMarkdown(text, _dialect())
        self._fit()

    def loadResource(self, kind: int, name: Any) -> Any:  # noqa: N802  # Qt's name
        """An empty picture: what a text names is not looked for; Qt would do so for `None`."""
        nothing = QImage(1, 1, QImage.Format.Format_ARGB32)
        nothing.fill(0)
        return nothing

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  # Qt's name
        """Break the lines again."""
        super().resizeEvent(event)
        self._fit()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  # Qt's name
        """Emit the click, and let text be selected."""
        self.pressed.emit()
        super().mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  # Qt's name
        """Leave scrolling to what it stands in."""
        event.ignore()

    def _fit(self) -> None:
        self.document().setTextWidth(self.viewport().width())
        height = math.ceil(self.document().size().height()) + 2
        if height != self.height():
            self.setFixedHeight(height)


def _dialect() -> QTextDocument.MarkdownFeature:
    """GitHub's Markdown without HTML; plain Markdown without HTML where the two cannot be joined.

    The flags of Python 3.11.0 to 3.11.3 lose what they hold in such a sum.
    """
    features = QTextDocument.MarkdownFeature
    flags = features.MarkdownDialectGitHub | features.MarkdownNoHTML
    return flags if features.MarkdownNoHTML in flags else features.MarkdownNoHTML
