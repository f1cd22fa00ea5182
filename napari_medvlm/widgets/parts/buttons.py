"""Buttons as the docks have them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QAbstractButton, QHBoxLayout, QPushButton, QWidget

from napari_medvlm.widgets.runtime.notify import guarded

PADDING_PX = 12
"""Around the text of a button that is as narrow as it can be."""


def button(text: str, tooltip: str, *, checkable: bool = False) -> QPushButton:
    """A small button that says in its tooltip what it does; its text is never cut."""
    push_button = QPushButton(text)
    push_button.setToolTip(tooltip)
    push_button.setCheckable(checkable)
    push_button.setMinimumWidth(push_button.fontMetrics().horizontalAdvance(text) + PADDING_PX)
    return push_button


def on_click(pressed: QAbstractButton, action: Callable[[], object]) -> None:
    """Do something at each click; its errors are shown."""
    # PyQt6 hands such a slot whether the button is checked, PySide6 does not.
    pressed.clicked.connect(guarded(lambda _=False: action()))


def row_of(*widgets: QWidget) -> QHBoxLayout:
    """Widgets next to each other."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
