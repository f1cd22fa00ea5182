"""Names of controls for screen readers: those that have no text or label take their tooltip's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)

CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit,
    QPlainTextEdit, QTextEdit,
)  # fmt: skip
"""Widgets that a person works."""
COMPOSED = (QAbstractItemView, QAbstractSpinBox, QComboBox, QTabBar)
"""Controls whose inner widgets have no names of their own."""
_CLAUSE = re.compile(r"[.;:](?:\s|$)")
_LETTER = re.compile(r"[^\W\d_]")


def controls_of(root: QWidget) -> Iterator[QWidget]:
    """The controls within a widget, without scroll bars, headers, lists of boxes, inner editors."""
    for control in root.findChildren(QWidget):
        if not isinstance(control, CONTROLS) or isinstance(control, QScrollBar | QHeaderView):
            continue
        if not _is_within(control, COMPOSED, root):
            yield control


def accessible_name(control: QWidget) -> str:
    """What a screen reader says for a control: its name, its text or that of its label.

    Empty without a letter, as an ellipsis or an arrow says nothing.
    """
    text = control.text() if isinstance(control, QAbstractButton) else ""
    name = control.accessibleName() or text or _label_text(control)
    return name if _LETTER.search(name) else ""


def set_accessible_names(root: QWidget) -> None:
    """Name each control within a widget that has no name, text or label by its tooltip.

    The name is the first clause of the control's tooltip, or of the nearest widget around it that
    has one.
    """
    for control in controls_of(root):
        if not accessible_name(control):
            control.setAccessibleName(_first_clause(_tooltip(control, root)))


def _is_within(control: QWidget, kinds: tuple[type[QWidget], ...], root: QWidget) -> bool:
    """Whether a control is a part of another one."""
    parent = control.parentWidget()
    while parent is not None and parent is not root:
        if isinstance(parent, kinds):
            return True
        parent = parent.parentWidget()
    return False


def _label_text(control: QWidget) -> str:
    """The text of the label whose buddy the control is, as in a form."""
    parent = control.parentWidget()
    labels = [] if parent is None else parent.findChildren(QLabel)
    return next((str(label.text()) for label in labels if label.buddy() is control), "")


def _tooltip(control: QWidget, root: QWidget) -> str:
    widget: QWidget | None = control
    while widget is not None and widget is not root:
        if widget.toolTip():
            return str(widget.toolTip())
        widget = widget.parentWidget()
    return ""


def _first_clause(text: str) -> str:
    return _CLAUSE.split(re.sub(r"<[^>]+>", " ", text), maxsplit=1)[0].strip()
