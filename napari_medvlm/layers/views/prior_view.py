"""A view of the registered prior next to the current image, at the same position and zoom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import layer_data
from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.orientation import describe, name_axes, orient
from napari_medvlm.layers.views.crosshair import Crosshair
from napari_medvlm.layers.views.linked import SliderLink, linked_views
from napari_medvlm.layers.views.view_labels import ViewLabels

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


class PriorView:
    """Shows the prior in the current image's frame: the same plane, position and zoom.

    The array of the prior is shared. Its window is its own.

    Parameters
    ----------
    main
        The viewer with the current image.
    prior
        The registered prior, whose affine leads to the current image's millimetres.
    limits
        The window that it is shown with at first.

    Attributes
    ----------
    model
        The model for `napari.qt.QtViewer`.
    """

    def __init__(self, main: Viewer, prior: Volume, limits: tuple[float, float]) -> None:
        from napari.components import ViewerModel

        self._main = main
        self._is_setting = False
        self.model: Any = ViewerModel(title="Prior")
        self.model.theme = main.theme
        self._layer: Image | None = None
        cursor = linked_views(main).cursor
        self.show(prior, limits)
        self._slider = SliderLink(self.model, cursor)  # after the layer, which moves the sliders
        self._crosshair = Crosshair(self.model, cursor)
        self._labels = ViewLabels(self.model)
        for emitter, callback in self._callbacks():
            emitter.connect(callback)
        self._on_plane()
        if cursor.position_mm is not None:
            cursor.moved.emit(cursor.position_mm)
        linked_views(main).prior = self.model

    def show(self, prior: Volume, limits: tuple[float, float]) -> None:
        """Show another registration of the prior; its window is set the first time only."""
        from napari.layers import Image

        data, keywords, _ = layer_data(prior)
        if self._layer is not None:
            self._layer.data, self._layer.affine = data, keywords["affine"]
            self._layer.metadata.update(keywords["metadata"])
            return
        self._layer = Image(data, **keywords)
        if not prior.is_color:
            self._layer.contrast_limits = limits
        self.model.layers.insert(0, self._layer)

    def close(self) -> None:
        """Disconnect from the viewer and remove all layers."""
        linked_views(self._main).prior = None
        for emitter, callback in self._callbacks():
            emitter.disconnect(callback)
        self._crosshair.close()
        self._labels.close()
        self._slider.close()
        self.model.layers.clear()

    def _callbacks(self) -> tuple[tuple[Any, Any], ...]:
        main, own = self._main.scene.camera.events, self.model.scene.camera.events
        dims = self._main.dims.events
        return (
            (main.zoom, self._follow_camera), (main.center, self._follow_camera),
            (own.zoom, self._lead_camera), (own.center, self._lead_camera),
            (dims.order, self._on_plane), (dims.ndisplay, self._on_plane),
            (self.model.dims.events.point, self._describe),
            (self._main.events.theme, self._on_theme),
        )  # fmt: skip

    def _on_plane(self, _: object = None) -> None:
        """Show the plane of the viewer."""
        extra = int(self._main.dims.ndim) - 3
        if extra < 0 or self.model.dims.ndim < 3:
            return
        own = self.model.dims
        own.ndisplay = self._main.dims.ndisplay
        own.order = tuple(int(a) - extra for a in self._main.dims.order if int(a) >= extra)
        orient(self.model)
        name_axes(self.model)
        self._describe()
        self._follow_camera()

    def _follow_camera(self, _: object = None) -> None:
        self._copy_camera(self._main.scene.camera, self.model.scene.camera)

    def _lead_camera(self, _: object = None) -> None:
        self._copy_camera(self.model.scene.camera, self._main.scene.camera)

    def _copy_camera(self, source: Any, target: Any) -> None:
        if self._is_setting:
            return
        with self._setting():
            if target.zoom != source.zoom:
                target.zoom = source.zoom
            if tuple(target.center) != tuple(source.center):
                target.center = source.center

    def _describe(self, _: object = None) -> None:
        overlay = self.model.canvas.overlays.text
        add_panel(overlay)
        overlay.font_size, overlay.position = 8, "top_left"
        overlay.text = "Prior," + describe(self.model).partition("\n")[0].partition(",")[2]

    def _on_theme(self, _: object) -> None:
        self.model.theme = self._main.theme

    @contextmanager
    def _setting(self) -> Iterator[None]:
        self._is_setting = True
        try:
            yield
        finally:
            self._is_setting = False
