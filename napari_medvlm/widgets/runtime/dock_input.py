"""Wheel and keys in a dock: what no text field takes goes to the scroll area or the viewer."""

from __future__ import annotations

from qtpy.QtCore import QChildEvent, QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

CHOICES = (QComboBox, QAbstractSpinBox, QAbstractSlider)
"""Widgets whose value the wheel changes."""
COMBO_LETTERS = 8
"""Least width of a list, in letters; longer entries are elided."""


class DockInput(QObject):
    """One event filter for a dock and all widgets in it, also those that are added later.

    - The wheel changes a value only in a widget that has the focus; elsewhere it scrolls the dock.
    - Letters and Space do not choose entries of lists: they are keys of the viewer.
    - Buttons get the focus by Tab alone, so that Space after a click is the viewer's.
    - Lists do not widen the dock by their longest entry; one that has a least width stays so.

    Parameters
    ----------
    dock
        The widget whose descendants are filtered; it owns the filter.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._adopt(dock)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ignore the event for a widget that must not react; Qt then gives it to its parent."""
        if event is None or watched is None:
            return False
        kind = event.type()
        if kind == QEvent.Type.ChildPolished:
            # PyQt may return an object of another type that an event at this address once had.
            child = event.child() if isinstance(event, QChildEvent) else watched
            if isinstance(child, QWidget) and not child.isWindow():
                self._adopt(child)
            return False
        is_ignored = (kind == QEvent.Type.Wheel and _ignores_wheel(watched)) or (
            kind == QEvent.Type.KeyPress and _is_viewer_key(watched, event)
        )
        if is_ignored:
            event.ignore()
        return is_ignored

    def _adopt(self, widget: QWidget) -> None:
        for part in (widget, *widget.findChildren(QWidget)):
            part.removeEventFilter(self)
            part.installEventFilter(self)
            _set_focus_policy(part)
            policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            if isinstance(part, QComboBox) and part.sizeAdjustPolicy() != policy:
                part.setSizeAdjustPolicy(policy)
                part.setMinimumContentsLength(min(COMBO_LETTERS, _longest(part)))


def _longest(combo: QComboBox) -> int:
    """Letters of the longest entry, as far as there are any yet."""
    return max((len(combo.itemText(i)) for i in range(combo.count())), default=COMBO_LETTERS)


def _set_focus_policy(widget: QWidget) -> None:
    """Take the focus neither by the wheel nor, for buttons, by a click."""
    if isinstance(widget, QAbstractButton) and widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
        widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    elif widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def _ignores_wheel(widget: QObject) -> bool:
    if isinstance(widget, QTabBar):
        return True
    if not isinstance(widget, CHOICES) or isinstance(widget, QScrollBar):
        return False
    return not widget.hasFocus()


def _is_viewer_key(widget: QObject, event: QEvent) -> bool:
    """Whether a key pressed in a list would choose an entry by its first letter, or by Space."""
    if not isinstance(event, QKeyEvent) or not isinstance(widget, QComboBox | QAbstractItemView):
        return False
    if isinstance(widget, QComboBox) and widget.isEditable():
        return False
    return bool(event.text()) and event.text().isprintable()
