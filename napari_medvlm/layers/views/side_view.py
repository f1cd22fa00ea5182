"""A second view of a viewer's layers, in another plane or in 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.orientation import Plane, describe, name_axes, show_3d, show_plane
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.mirror import LayerMirror
from napari_medvlm.sessions.cursor import Position

if TYPE_CHECKING:
    from napari import Viewer

MARGIN = 0.02
"""Share of the canvas at its borders from which the view is moved to show the cursor."""


class SideView:
    """A view that shows the layers of a viewer and follows its cursor position.

    Parameters
    ----------
    main
        The viewer.
    plane
        What is shown: a plane, or `None` for the volume in 3D.

    Attributes
    ----------
    model
        The model for `napari.qt.QtViewer`.
    plane
        What is shown.
    """

    def __init__(self, main: Viewer, plane: Plane | None) -> None:
        from napari.components import ViewerModel

        self._main = main
        self.plane = plane
        self._fitted_zoom = 0.0
        self.model: Any = ViewerModel(title="Side view")
        self.model.theme = main.theme
        self.mirror = LayerMirror(main, self.model)
        self._linked = linked_views(main)
        self._linked.add(self.model)
        main.events.theme.connect(self._on_theme)
        main.dims.events.point.connect(self._follow_extra)
        self.model.dims.events.point.connect(self._describe)
        self.model.layers.events.inserted.connect(self._on_inserted, position="last")
        self.model.canvas.events.size.connect(self._on_size)
        self._linked.cursor.moved.connect(self._show_cursor)
        self.show(plane)

    def show(self, plane: Plane | None) -> None:
        """Show another plane, or the volume in 3D."""
        self.plane = plane
        if self.model.dims.ndim < 3:
            return
        if plane is None:
            show_3d(self.model)
        else:
            show_plane(self.model, plane)
            self._fit()
        name_axes(self.model)
        self.model.canvas.overlays.axes.visible = plane is None
        self._describe()

    def take_keys(self) -> None:
        """Bind the keys that the viewer and its active layer have, also those of the docks."""
        self.model.keymap.clear()
        self.model.keymap.update(self._main.keymap)
        active, own = self._main.layers.selection.active, self.model.layers.selection.active
        if active is not None and own is not None:
            own.keymap.clear()
            own.keymap.update(active.keymap)

    def close(self) -> None:
        """Disconnect from the viewer and remove all layers."""
        self._main.events.theme.disconnect(self._on_theme)
        self._main.dims.events.point.disconnect(self._follow_extra)
        self._linked.cursor.moved.disconnect(self._show_cursor)
        self._linked.remove(self.model)
        self.mirror.close()

    def _on_inserted(self, _: Any) -> None:
        """Show the plane as soon as the first volume is there."""
        dims = self.model.dims
        extra = tuple(range(int(dims.ndim) - 3))
        axes = (0, 1, 2) if self.plane is None else self.plane.value
        wanted = (2 + (self.plane is None), (*extra, *(axis + len(extra) for axis in axes)))
        if dims.ndim >= 3 and (dims.ndisplay, tuple(dims.order)) != wanted:
            self.show(self.plane)

    def _on_size(self, _: Any) -> None:
        """Fit the image into a canvas of another size, unless a person has zoomed in."""
        if self._is_fitted:
            self._fit()

    def _fit(self) -> None:
        self.model.reset_view()
        self._fitted_zoom = self.model.scene.camera.zoom

    @property
    def _is_fitted(self) -> bool:
        """Whether the camera is as it was fitted to the image."""
        return bool(np.isclose(self.model.scene.camera.zoom, self._fitted_zoom))

    def _on_theme(self, _: Any) -> None:
        self.model.theme = self._main.theme

    def _follow_extra(self, _: Any = None) -> None:
        """Show the same point of axes before the three of space, such as time."""
        extra = int(self._main.dims.ndim) - 3
        own = tuple(self.model.dims.point)
        if extra > 0 and len(own) == self._main.dims.ndim:
            point = (*self._main.dims.point[:extra], *own[extra:])
            if point != own:
                self.model.dims.point = point

    def _describe(self, _: Any = None) -> None:
        if self.model.dims.ndim >= 3:
            overlay = self.model.canvas.overlays.text
            add_panel(overlay)
            overlay.font_size, overlay.position = 8, "top_left"
            overlay.text = describe(self.model).partition("\n")[0]

    def _show_cursor(self, position_mm: Position) -> None:
        """Move the camera if the cursor is outside the canvas."""
        dims, camera = self.model.dims, self.model.scene.camera
        if dims.ndisplay != 2 or dims.ndim < 3:
            return
        displayed = [int(axis) - (int(dims.ndim) - 3) for axis in dims.displayed]
        at = np.array([position_mm[axis] for axis in displayed])
        half = np.array(self.model.canvas.size) / 2 / camera.zoom * (1 - MARGIN)
        center = np.array(camera.center[-2:])
        moved = np.clip(center, at - half, at + half)
        if not np.allclose(moved, center):
            camera.center = (*camera.center[:-2], *moved)
