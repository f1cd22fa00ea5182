"""A question with one way to go on, which does not stop the window."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_medvlm.widgets.buttons import on_click


def ask(parent: QWidget, title: str, text: str, accept: str, action: Callable[[], object]) -> None:
    """Ask, and do something if the person says so; Cancel is what Enter presses.

    Parameters
    ----------
    text
        In HTML: what others wrote must be escaped.
    accept
        On the button that goes on.
    """
    box = QMessageBox(parent.window())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.RichText)
    box.setText(text)
    accepted = box.addButton(accept, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    on_click(accepted, action)
    box.open()
