"""The base class of all docks: a scroll area that frees what it holds when it is closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QWidget

from napari_medvlm.layers.display.side_marks import mark_sides
from napari_medvlm.settings.log_file import ensure_log
from napari_medvlm.widgets.runtime.accessible_names import set_accessible_names
from napari_medvlm.widgets.runtime.dock_input import DockInput
from napari_medvlm.widgets.runtime.dock_tab import DockTab

NAMING_MS = 200
"""Controls that were added are named so long after the layout changed."""
LEAST_HEIGHT, LARGEST_WIDTH = 120, 420
"""Pixels that a dock asks for at most, where its content would be larger: it scrolls instead."""


class Dock(QScrollArea):
    """A scrolling dock that frees what it holds when napari takes it out of the window.

    Next to another dock of the plugin it becomes a tab of that dock, see `DockTab`. Wheel and keys
    go through `DockInput`; its controls have accessible names, see `set_accessible_names`.

    Attributes
    ----------
    body
        The widget that scrolls; subclasses lay out their parts in it.
    """

    def __init__(self) -> None:
        super().__init__()
        ensure_log()
        self.body = QWidget()
        self.setWidget(self.body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._input = DockInput(self)
        self._first_shown = QTimer(self)
        self._first_shown.setSingleShot(True)
        self._first_shown.timeout.connect(self._on_first_shown)
        self._was_shown = False
        self._naming = QTimer(self)
        self._naming.setSingleShot(True)
        self._naming.setInterval(NAMING_MS)
        self._naming.timeout.connect(self._name_controls)

    def close_dock(self) -> None:
        """Stop and free everything; for docks to say."""
        raise NotImplementedError

    def fit_view(self) -> None:
        """Called once when the dock has its place in the window; for docks to extend."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """As wide as the content and a scroll bar, but never more than a screen has."""
        content = self.body.minimumSizeHint() + self._border()
        return QSize(min(content.width(), LARGEST_WIDTH), min(content.height(), LEAST_HEIGHT))

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """As large as the content."""
        return self.body.sizeHint() + self._border()

    def _border(self) -> QSize:
        """Size of the vertical scroll bar and the frame, which napari's style draws."""
        frame = 2 * self.frameWidth()
        return QSize(frame + self.verticalScrollBar().sizeHint().width(), frame)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Free everything when the dock is closed: it loses its parent."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.close_dock()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ask for another width when the content does."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._naming.start()
        return bool(super().eventFilter(watched, event))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  # Qt's name
        """Pass keys on to the viewer, but never Delete: it would delete prompts unseen."""
        if event.key() not in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            event.ignore()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  # Qt's name
        """Take the dock's place in the window, the first time."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self._first_shown.start(0)

    def _name_controls(self) -> None:
        set_accessible_names(self.body)

    def _on_first_shown(self) -> None:
        own = self._dock_widget()
        window = None if own is None else own.parent()
        if own is not None and isinstance(window, QMainWindow):
            DockTab(own)
            _tabify(window, own)
        mark_sides(getattr(self, "viewer", None))
        self.fit_view()
        set_accessible_names(self.body)

    def _dock_widget(self) -> QDockWidget | None:
        parent = self.parent()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parent()
        return parent


def _tabify(window: QMainWindow, own: QDockWidget) -> None:
    """Make a dock a tab of another dock of the plugin in the same area of the window."""
    area = window.dockWidgetArea(own)
    others = [
        dock
        for dock in window.findChildren(QDockWidget)
        if dock is not own
        and isinstance(dock.widget(), Dock)
        and not dock.isFloating()
        and not dock.isHidden()
        and window.dockWidgetArea(dock) == area
    ]
    if others and not own.isFloating() and not window.tabifiedDockWidgets(own):
        window.tabifyDockWidget(others[0], own)  # others may wait for their place as well
        own.raise_()
