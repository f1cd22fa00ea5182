"""One side view in the Views dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medvlm.layers.orientation import Plane
from napari_medvlm.layers.views.side_view import SideView

if TYPE_CHECKING:
    from napari import Viewer


class ViewPanel(QWidget):
    """A canvas with the layers of the viewer in another plane or in 3D.

    Parameters
    ----------
    viewer
        The viewer whose layers it shows.
    plane
        A plane, or `None` for the volume in 3D.
    """

    def __init__(self, viewer: Viewer, plane: Plane | None) -> None:
        from napari.qt import QtViewer

        super().__init__()
        self.view: SideView | None = SideView(viewer, plane)
        self.canvas: QtViewer | None = QtViewer(self.view.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.setMinimumSize(80, 80)
        self.canvas.canvas.native.installEventFilter(self)

    @property
    def plane(self) -> Plane | None:
        """What is shown."""
        return None if self.view is None else self.view.plane

    def show_plane(self, plane: Plane | None) -> None:
        """Show another plane, or the volume in 3D."""
        if self.view is not None:
            self.view.show(plane)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Give the view the keys of the viewer when the mouse enters it."""
        if event is not None and event.type() == QEvent.Type.Enter and self.view is not None:
            self.view.take_keys()
        return bool(super().eventFilter(watched, event))

    def close_view(self) -> None:
        """Free the canvas and the layers."""
        if self.view is not None and self.canvas is not None:
            self.canvas.canvas.native.removeEventFilter(self)
            self.view.close()
            self.canvas.close()
            self.view = self.canvas = None
