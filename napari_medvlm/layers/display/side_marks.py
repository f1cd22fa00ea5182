"""Planes and sides of the patient, named in every viewer that shows an image of this plugin."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.orientation import image_volumes, name_axes, orient

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel

_marked: dict[int, SideMarks] = {}
"""The marks of each viewer by its hash; an entry goes with its viewer."""


class SideMarks:
    """Turns a viewer to the radiological convention and names its planes and sides.

    It does so while the viewer has an image with the planes of a patient that a reader or dock of
    this plugin opened.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._named = False
        dims, layers = viewer.dims.events, viewer.layers.events
        for event in (
            *(dims.ndim, dims.order, dims.ndisplay, dims.point),
            *(layers.inserted, layers.removed),
        ):
            event.connect(self.refresh)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Name the planes and sides, or hide the names with the last image."""
        viewer: Any = self._viewer()
        if viewer is None:
            return
        if any(volume.has_planes for volume in image_volumes(viewer)):
            self._named = True
            orient(viewer)
            name_axes(viewer)
        elif self._named:
            self._named = False
            viewer.canvas.overlays.text.visible = False


def mark_sides(viewer: Viewer | None) -> None:
    """Mark the sides of the patient in a viewer from now on; `None`: there is no viewer."""
    model = getattr(viewer, "__wrapped__", viewer)  # plugins get a proxy
    if model is None or hash(model) in _marked:
        return
    _marked[hash(model)] = SideMarks(model)
    weakref.finalize(model, _marked.pop, hash(model), None)
