"""Where the Views dock is in the window."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_medvlm.settings.view_layout import Layout

AREAS = {
    Layout.SINGLE: Qt.DockWidgetArea.BottomDockWidgetArea,
    Layout.ROW: Qt.DockWidgetArea.RightDockWidgetArea,
    Layout.RIGHT: Qt.DockWidgetArea.RightDockWidgetArea,
    Layout.BELOW: Qt.DockWidgetArea.BottomDockWidgetArea,
}
SHARES = {Layout.ROW: 2 / 3, Layout.RIGHT: 0.4, Layout.BELOW: 0.5}
"""Of the width or height that the viewer and the side views have together."""


def move_dock(widget: QWidget, layout: Layout) -> None:
    """Move the dock of a widget to the side that a layout asks for, next to the viewer.

    At the right it is between the viewer and the other docks; below, the docks at the sides stay as
    high as the window.
    """
    own, window = dock_of(widget), None
    if own is not None and isinstance(own.parent(), QMainWindow):
        window = own.parent()
    if own is None or window is None or own.isFloating():
        return
    area = AREAS[layout]
    for corner, side in (
        (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
    ):
        window.setCorner(corner, side)
    others = docks_at(window, Qt.DockWidgetArea.RightDockWidgetArea, own)
    widths = [other.width() for other in others]
    window.addDockWidget(area, own)
    if area is Qt.DockWidgetArea.RightDockWidgetArea:
        _move_right_of(window, own, others)
    if others:
        window.resizeDocks(others, widths, Qt.Orientation.Horizontal)
    if layout in SHARES:
        share_room(own, SHARES[layout])


def share_room(own: QDockWidget, share: float) -> None:
    """Give a dock next to the viewer a share of the width or height that both have together."""
    window = own.parent()
    central = window.centralWidget() if isinstance(window, QMainWindow) else None
    if not isinstance(window, QMainWindow) or central is None:
        return
    is_right = window.dockWidgetArea(own) == Qt.DockWidgetArea.RightDockWidgetArea
    room = central.width() + own.width() if is_right else central.height() + own.height()
    direction = Qt.Orientation.Horizontal if is_right else Qt.Orientation.Vertical
    window.resizeDocks([own], [round(room * share)], direction)


def leave_window(own: QDockWidget) -> None:
    """Take a dock out of its window: the viewer gets its room, and other docks stay as wide."""
    try:
        window = own.parent()
    except RuntimeError:  # the window is gone, and the dock with it
        return
    if not isinstance(window, QMainWindow) or own.isFloating():
        return
    area = window.dockWidgetArea(own)
    others = docks_at(window, area, own)
    widths = [other.width() for other in others]
    window.removeDockWidget(own)
    if others and area == Qt.DockWidgetArea.RightDockWidgetArea:
        window.resizeDocks(others, widths, Qt.Orientation.Horizontal)


def _move_right_of(window: QMainWindow, own: QDockWidget, others: list[QDockWidget]) -> None:
    """Move other docks at the right of a dock, below each other; tabs stay tabs."""
    above: QDockWidget | None = None
    left = list(others)
    while left:
        first = left.pop(0)
        tabs = [dock for dock in window.tabifiedDockWidgets(first) if dock in left]
        left = [dock for dock in left if dock not in tabs]
        group = (first, *tabs)
        shown = next((dock for dock in group if not dock.visibleRegion().isEmpty()), first)
        if above is None:
            window.splitDockWidget(own, first, Qt.Orientation.Horizontal)
        else:
            window.splitDockWidget(above, first, Qt.Orientation.Vertical)
        for dock in tabs:
            window.tabifyDockWidget(first, dock)
        shown.raise_()
        above = first


def dock_of(widget: QWidget) -> QDockWidget | None:
    """The dock that holds a widget."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def docks_at(window: QMainWindow, area: Qt.DockWidgetArea, own: QDockWidget) -> list[QDockWidget]:
    """The other docks in an area of the window that are seen."""
    return [
        dock
        for dock in window.findChildren(QDockWidget)
        if dock is not own
        and not dock.isFloating()
        and not dock.isHidden()
        and window.dockWidgetArea(dock) == area
    ]
