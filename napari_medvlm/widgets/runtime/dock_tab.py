"""A dock in a background tab comes to the front where a menu would close it."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow


class DockTab(QObject):
    """Raises a dock that is hidden while another tab covers it.

    napari's Plugins menu hides an open dock, also one that cannot be seen: who chooses it there
    wants to see it. The dock in front is closed, as napari does.
    """

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._is_in_front = True
        self._tabs: list[QDockWidget] = []
        self._raising = QTimer(self)
        self._raising.setSingleShot(True)
        self._raising.timeout.connect(self._raise)
        dock.visibilityChanged.connect(self._on_visibility_changed)
        dock.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Note the tabs beside the dock when it is hidden in the background."""
        if event is None or event.type() != QEvent.Type.Hide or not isalive(self._dock):
            return False  # a dock that is being deleted is hidden too
        window = self._window()
        if window is not None and self._dock.isHidden() and not self._is_in_front:
            self._tabs = window.tabifiedDockWidgets(self._dock)
            self._raising.start(0)
        return False

    def _on_visibility_changed(self, visible: bool) -> None:
        self._is_in_front = visible

    def _raise(self) -> None:
        """Show the dock, unless all tabs were hidden with it or it was taken out of the window."""
        beside = [dock for dock in self._tabs if isalive(dock) and not dock.isHidden()]
        if beside and self._window() is not None and self._dock.isHidden():
            self._dock.show()
            self._dock.raise_()

    def _window(self) -> QMainWindow | None:
        """The window that the dock has its place in."""
        window = self._dock.parent()
        if not isinstance(window, QMainWindow):
            return None
        area = window.dockWidgetArea(self._dock)
        return None if area == Qt.DockWidgetArea.NoDockWidgetArea else window
