"""Text that is broken into lines."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy


class WrappedLabel(QLabel):
    """Plain text as high as its lines at the width that it has, and never a reason to be wider.

    Qt's own label asks for the height at a width of its choice, which leaves holes in what scrolls.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """One line."""
        return QSize(1, self.fontMetrics().height())

    def show_text(self, text: str) -> None:
        """Show a text; nothing at all if it is empty."""
        self.setText(text)
        self.setVisible(bool(text))
