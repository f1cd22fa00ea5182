"""The rows of a dock for how the image is shown: plane, window and slab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout

from napari_medvlm.layers.display.slab import SlabView
from napari_medvlm.layers.display.window_control import WindowControl
from napari_medvlm.widgets.display.plane_row import PlaneRow, show_view
from napari_medvlm.widgets.display.slab_row import SlabRow
from napari_medvlm.widgets.display.window_row import WindowRow
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


class DisplayControls:
    """Plane buttons, window presets and slab of the image that a dock works on.

    Parameters
    ----------
    viewer
        Where the image is shown.
    control
        The window of the image.

    Attributes
    ----------
    slab_view
        What shows the slab.
    """

    def __init__(self, viewer: Viewer, control: WindowControl) -> None:
        self.slab_view = SlabView(viewer)
        self.planes = PlaneRow()
        self.windows = WindowRow(control)
        self.slab = SlabRow(self.slab_view)
        self.planes.view_requested.connect(guarded(lambda name: show_view(viewer, name)))

    def add_rows(self, form: QFormLayout) -> None:
        """Add the rows to a form."""
        form.addRow("View", self.planes)
        form.addRow("Window", self.windows)
        form.addRow("Slab", self.slab)

    def follow(self, layer: Image | None) -> None:
        """Show the slab of this layer from now on."""
        self.slab_view.follow(layer)

    def close(self) -> None:
        """Show one slice, and leave the viewer."""
        self.windows.close_row()
        self.slab_view.close()
