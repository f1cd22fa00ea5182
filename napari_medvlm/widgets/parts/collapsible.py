"""Something that can be folded away under its title."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A title with an arrow, and what it hides until it is clicked.

    Attributes
    ----------
    opened
        The person opened it.
    """

    opened = Signal()

    def __init__(self, title: str, tooltip: str, content: QWidget) -> None:
        super().__init__()
        self.content = content
        self.head = QToolButton()
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.head.setMinimumWidth(10)
        self.head.setAutoRaise(True)
        self.head.setCheckable(True)
        self.head.setToolTip(tooltip)
        self.head.toggled.connect(self._on_toggled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.head, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(content)
        content.hide()
        self.set_title(title)

    @property
    def is_open(self) -> bool:
        """Whether what it holds is to be seen."""
        return bool(self.head.isChecked())

    def set_title(self, title: str) -> None:
        """What stands beside the arrow."""
        self._title = title
        self._write()

    def open(self, is_open: bool = True) -> None:
        """Open or close it."""
        self.head.setChecked(is_open)

    def _on_toggled(self, is_open: bool) -> None:
        self.content.setVisible(is_open)
        self._write()
        if is_open:
            self.opened.emit()

    def _write(self) -> None:
        self.head.setText(f"{'▾' if self.is_open else '▸'} {self._title}")
