"""Choosing the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_medvlm.layers.orientation import Plane, show_3d, show_plane
from napari_medvlm.widgets.parts.buttons import button

if TYPE_CHECKING:
    from napari import Viewer

VIEWS = {
    "Axial": "From the feet: the patient's left is on the right.",
    "Coronal": "From the front: the patient's left is on the right, superior is up.",
    "Sagittal": "From the left: anterior is on the left, superior is up.",
    "3D": "Whole volume in 3D; drag to rotate.",
}


class PlaneRow(QWidget):
    """Buttons for the planes.

    Attributes
    ----------
    view_requested
        Name of the view, a key of `VIEWS`.
    """

    view_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, tooltip in VIEWS.items():
            plane_button = button(name, tooltip)
            plane_button.clicked.connect(lambda _=False, name=name: self.view_requested.emit(name))
            layout.addWidget(plane_button)


def show_view(viewer: Viewer, name: str) -> None:
    """Show a plane, or the volume in 3D: a key of `VIEWS`."""
    if name == "3D":
        show_3d(viewer)
    else:
        show_plane(viewer, Plane[name.upper()])
