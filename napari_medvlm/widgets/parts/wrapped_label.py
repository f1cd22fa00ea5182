"""Text that is broken into lines."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_medvlm.widgets.parts.text_color import TextColor


class WrappedLabel(QLabel):
    """Plain text as high as its lines at the width that it has, and never a reason to be wider.

    Qt's own label asks for the height at a width of its choice, which leaves holes in what scrolls.
    """

    _color: TextColor | None = None  # Qt changes the style while it is made

    def __init__(self, text: str = "", color: TextColor | None = None) -> None:
        super().__init__(text)
        self._color = color
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """One line."""
        return QSize(1, self.fontMetrics().height())

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Take the colour for another theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._draw_color()

    def set_color(self, color: TextColor | None) -> None:
        """Choose the colour of the text; `None`: that of the theme."""
        self._color = color
        self._draw_color()

    def _draw_color(self) -> None:
        style = "" if self._color is None else f"color: {self._color.on(self)}"
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def show_text(self, text: str) -> None:
        """Show a text; nothing at all if it is empty."""
        self._draw_color()
        self.setText(text)
        self.setVisible(bool(text))
