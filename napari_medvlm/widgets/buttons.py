"""Buttons as the docks have them."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton


def button(text: str, tooltip: str, *, checkable: bool = False) -> QPushButton:
    """A small button that says in its tooltip what it does."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.setCheckable(checkable)
    made.setMinimumWidth(10)
    return made
