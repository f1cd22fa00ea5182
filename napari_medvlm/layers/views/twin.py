"""One layer shown in a second view: the same array, with display settings that follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.screen_size import ScreenSize, diameter_px

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Points

SETTINGS = [
    "name",
    "visible",
    "opacity",
    "blending",
    "affine",
    "scale",
    "translate",
    "rotate",
    "shear",
    "projection_mode",
    "mode",
    "editable",
    "contrast_limits",
    "contrast_limits_range",
    "gamma",
    "colormap",
    "interpolation2d",
    "interpolation3d",
    "rendering",
    "iso_threshold",
    "attenuation",
    "selected_label",
    "brush_size",
    "contour",
    "contiguous",
    "n_edit_dimensions",
    "preserve_labels",
    "show_selected_label",
    "iso_gradient_mode",
]
"""Attributes of layers that are equal in all views; each has an event of its name."""
ROLE = "mirrored"
"""Role of a layer in a side view that shows a layer of the viewer."""


class LayerTwin:
    """A copy of a layer in a side view.

    The array is shared, also a `Reslice`. Display settings and label edits go both ways. Points,
    shapes and other geometry are copied whenever the layer's data change.

    Parameters
    ----------
    original
        The layer of the viewer.
    main
        The viewer; by its sliders a change of data is distinguished from another slice.
    side
        The side view, with whose zoom markers of one size on the screen are drawn.

    Attributes
    ----------
    layer
        The layer for the side view.
    """

    def __init__(self, original: Layer, main: ViewerModel, side: ViewerModel) -> None:
        self.original = original
        self._dims = main.dims
        self._is_copying = False
        self._slice = self._sliders()
        self.layer = _copy_of(original)
        px = diameter_px(original)
        self._screen_size = None if px is None else ScreenSize(side, cast("Points", self.layer), px)
        self._names = [
            name for name in SETTINGS if hasattr(original.events, name) and hasattr(original, name)
        ]
        for name in self._names:
            getattr(original.events, name).connect(self._on_original)
            getattr(self.layer.events, name).connect(self._on_copy)
        original.events.data.connect(self._on_data)
        original.events.set_data.connect(self._on_set_data)
        for layer, callback in ((original, self._on_painted), (self.layer, self._on_painted_here)):
            if _is_labels(layer):
                layer.events.paint.connect(callback)
                layer.events.labels_update.connect(callback)
                layer.events.features.connect(self._on_features)

    def close(self) -> None:
        """Disconnect the two layers."""
        callbacks = (
            self._on_original,
            self._on_copy,
            self._on_data,
            self._on_set_data,
            self._on_painted,
            self._on_painted_here,
            self._on_features,
        )
        for layer in (self.original, self.layer):
            for emitter in layer.events.emitters.values():
                for callback in callbacks:
                    with suppress(ValueError):
                        emitter.disconnect(callback)

    def _on_original(self, event: Any) -> None:
        self._set(self.layer, self.original, event.type)

    def _on_copy(self, event: Any) -> None:
        self._set(self.original, self.layer, event.type)

    def _set(self, target: Layer, source: Layer, name: str) -> None:
        if self._is_copying or name not in self._names:
            return
        with self._copying():
            setattr(target, name, getattr(source, name))

    def _on_data(self, event: Any) -> None:
        """Show another array, or the points or shapes after an edit."""
        action = str(getattr(event, "action", "")).rpartition(".")[2].lower()
        if self._is_copying or action in ("adding", "changing", "removing"):
            return
        with self._copying():
            if _has_array(self.original):
                if self.layer.data is not self.original.data:
                    self.layer.data = self.original.data
                else:
                    self._redraw(self.layer)
            else:
                _copy_geometry(self.original, self.layer)

    def _on_set_data(self, _: Any) -> None:
        """Draw the copy again if the original was refreshed and not moved to another slice."""
        before, self._slice = self._slice, self._sliders()
        if self._is_copying or before != self._slice:
            return
        with self._copying():
            if _has_array(self.original):
                self._redraw(self.layer)

    def _on_painted(self, _: Any) -> None:
        if not self._is_copying:
            with self._copying():
                self._redraw(self.layer)

    def _on_painted_here(self, _: Any) -> None:
        if not self._is_copying:
            with self._copying():
                self._redraw(self.original)

    def _on_features(self, _: Any) -> None:
        if not self._is_copying:
            with self._copying():
                self.layer.features = self.original.features

    def _sliders(self) -> tuple[object, ...]:
        dims = self._dims
        return tuple(dims.point), tuple(dims.order), dims.ndisplay, tuple(dims.margin_left)

    @staticmethod
    def _redraw(layer: Layer) -> None:
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    @contextmanager
    def _copying(self) -> Iterator[None]:
        self._is_copying = True
        try:
            yield
        finally:
            self._is_copying = False


def _copy_of(original: Layer) -> Layer:
    from napari.layers import Layer

    data, state, kind = original.as_layer_data_tuple()
    state["metadata"] = {KEY: {"role": ROLE}}
    copy = Layer.create(data, state, kind)
    if hasattr(original, "contrast_limits_range"):
        copy.contrast_limits_range = original.contrast_limits_range
        copy.contrast_limits = original.contrast_limits
    for name in ("editable", "selected_label", "brush_size", "contour", "show_selected_label"):
        if hasattr(original, name):
            setattr(copy, name, getattr(original, name))
    return copy


def _has_array(layer: Layer) -> bool:
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels)


def _is_labels(layer: Layer) -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels)


def _copy_geometry(original: Any, copy: Any) -> None:
    """Give a copy the points, shapes or other geometry of a layer as it is now."""
    from napari.layers import Points, Shapes

    _, state, _ = original.as_layer_data_tuple()
    if isinstance(original, Shapes):
        copy.selected_data = set()
        copy.data = []
        if original.nshapes:
            copy.add(
                original.data,
                shape_type=state["shape_type"],
                edge_width=state["edge_width"],
                edge_color=state["edge_color"],
                face_color=state["face_color"],
            )
        return
    if isinstance(original, Points):
        copy.selected_data = set()
    copy.data = original.data
    if isinstance(original, Points) and len(original.data):
        for name in ("size", "face_color", "border_color", "symbol", "shown"):
            if name != "size" or diameter_px(original) is None:  # else as large as its view says
                setattr(copy, name, getattr(original, name))
