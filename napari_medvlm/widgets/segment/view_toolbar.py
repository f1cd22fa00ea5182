"""Choosing the plane and the window (brightness and contrast)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_medvlm.data.volume import Window
from napari_medvlm.layers.orientation import Plane, show_3d, show_plane
from napari_medvlm.widgets.parts.buttons import button

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

VIEWS = {
    "Axial": "From the feet: the patient's left is on the right.",
    "Coronal": "From the front: the patient's left is on the right, superior is up.",
    "Sagittal": "From the left: anterior is on the left, superior is up.",
    "3D": "The whole volume; drag to turn.",
}


class PlaneRow(QWidget):
    """Buttons for the planes and a list of windows.

    Attributes
    ----------
    view_requested
        Name of the view, a key of `VIEWS`.
    window_requested
        The `Window` chosen.
    """

    view_requested = Signal(str)
    window_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._windows = QComboBox()
        self._windows.setToolTip("Window presets; for CT in Hounsfield units.")
        self._windows.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._windows.textActivated.connect(self._on_window)
        self._by_name: Mapping[str, Window] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, tooltip in VIEWS.items():
            plane_button = button(name, tooltip)
            plane_button.clicked.connect(lambda _=False, name=name: self.view_requested.emit(name))
            layout.addWidget(plane_button)
        layout.addWidget(self._windows)

    def set_windows(self, windows: Mapping[str, Window]) -> None:
        """Offer these windows, by name."""
        self._by_name = windows
        self._windows.clear()
        for name, window in windows.items():
            low, high = window.limits
            self._windows.addItem(name)
            text = f"{low:.4g} to {high:.4g}"
            self._windows.setItemData(self._windows.count() - 1, text, 3)  # tooltip

    def _on_window(self, name: str) -> None:
        self.window_requested.emit(self._by_name[name])


def show_view(viewer: Viewer, name: str) -> None:
    """Show a plane, or the volume in 3D: a key of `VIEWS`."""
    if name == "3D":
        show_3d(viewer)
    else:
        show_plane(viewer, Plane[name.upper()])


def show_window(layer: Image | None, window: Window) -> None:
    """Set the contrast limits of an image layer, if there is one."""
    if layer is not None:
        layer.contrast_limits = window.limits
