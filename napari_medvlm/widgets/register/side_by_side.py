"""The prior next to the current image, in a dock of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QSize, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QVBoxLayout, QWidget

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.views.prior_view import PriorView
from napari_medvlm.settings.view_layout import Layout
from napari_medvlm.widgets.display.commands import bind_display_keys
from napari_medvlm.widgets.views.dock_area import dock_of, leave_window, move_dock, share_room

if TYPE_CHECKING:
    from napari import Viewer

TITLE = "Prior"
HALF = 0.5
"""Of the width that it has together with the viewer."""


class PriorPanel(QWidget):
    """A canvas with the registered prior, which follows the position and zoom of the viewer.

    Parameters
    ----------
    viewer, prior, limits
        As those of `PriorView`.

    Attributes
    ----------
    closed
        The dock was closed.
    """

    closed = Signal()

    def __init__(self, viewer: Viewer, prior: Volume, limits: tuple[float, float]) -> None:
        from napari.qt import QtViewer

        super().__init__()
        self.view: PriorView | None = PriorView(viewer, prior, limits)
        bind_display_keys(self.view.model)
        self.canvas: QtViewer | None = QtViewer(self.view.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.setMinimumSize(80, 80)
        self._own_dock: QDockWidget | None = None
        self._first_shown = QTimer(self)
        self._first_shown.setSingleShot(True)
        self._first_shown.timeout.connect(self._on_first_shown)
        self.canvas.canvas.native.installEventFilter(self)

    def close_view(self) -> None:
        """Free the canvas and the layer."""
        if self.view is not None and self.canvas is not None:
            self.canvas.canvas.native.removeEventFilter(self)
            self.view.close()
            self.canvas.close()
            self.view = self.canvas = None
            self.closed.emit()

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Room for a view."""
        return QSize(400, 500)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take the keys when the mouse enters, so that W changes the prior's window."""
        if event is not None and event.type() == QEvent.Type.Enter and self.canvas is not None:
            self.canvas.canvas.native.setFocus()
        return bool(super().eventFilter(watched, event))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Free everything when the dock is closed: it loses its parent."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            if self._own_dock is not None:
                leave_window(self._own_dock)
            self.close_view()

    def _on_first_shown(self) -> None:
        move_dock(self, Layout.RIGHT)
        self._own_dock = dock_of(self)
        if self._own_dock is not None:
            share_room(self._own_dock, HALF)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  # Qt's name
        """Move next to the viewer, the first time."""
        super().showEvent(event)
        self._first_shown.start(0)
