"""Lines of one width on the screen: the crosshair, and the dashes of items off the slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.layers.convert import KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Vectors

WIDTH_PX = 2.0
"""A whole number: lines of 1.5 pixels have 1 or 2, by their position."""


class ScreenLines:
    """Lines in one view, in a layer that is added when there are any.

    The layer is no part of the session, and showing it leaves the active layer as it is.

    Parameters
    ----------
    view
        The viewer or a side view.
    name, role
        Name of the layer, and the entry of its metadata by which it is found.
    """

    def __init__(self, view: ViewerModel, name: str, role: str) -> None:
        self._view = view
        self._name = name
        self._role = role
        self._layer: Vectors | None = None

    @property
    def layer(self) -> Vectors | None:
        """The layer, if it is in the view."""
        return self._layer if self._layer in self._view.layers else None

    def show(self, lines_mm: FloatArray, colors: ArrayLike) -> None:
        """Show these lines and no others.

        Parameters
        ----------
        lines_mm
            ``(N, 2, 3)``: the start and the direction of each, ``(S, P, L)``.
        colors
            ``(N, 4)``: RGBA.
        """
        layer = self._ready()
        data, colors = lines_mm / layer.scale[-3:], np.asarray(colors)
        width = WIDTH_PX / self._view.scene.camera.zoom / float(np.min(layer.scale))
        is_same = np.array_equal(data, layer.data) and np.array_equal(colors, layer.edge_color)
        if is_same and layer.edge_width == width:
            return
        events = layer.events
        # Drawn once, by the refresh; the event of the data has napari measure all layers.
        quiet = events.set_data, events.data, events.edge_color, events.thumbnail
        with quiet[0].blocker(), quiet[1].blocker(), quiet[2].blocker(), quiet[3].blocker():
            layer.edge_width = width
            layer.data = data
            if len(data):
                layer.edge_color = colors
        layer.refresh(extent=False, thumbnail=False)

    def clear(self) -> None:
        """Leave an empty layer: that of vispy takes long to be made again."""
        if self.layer is not None:
            self.show(np.zeros((0, 2, 3)), np.zeros((0, 4)))

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer = self.layer, None
        if layer is not None:
            self._view.layers.remove(layer)

    def _ready(self) -> Vectors:
        layer = self.layer
        if layer is None:
            from napari.layers import Vectors

            # The same for all axes, so that all lines have one width; not below that of any
            # image, so that sliders keep their steps.
            scale = max(axis_range.step for axis_range in self._view.dims.range[-3:])
            self._layer = layer = Vectors(
                ndim=3,
                name=self._name,
                scale=(scale,) * 3,
                vector_style="line",
                opacity=0.9,
                blending="translucent_no_depth",
            )
            append_quietly(self._view, layer, self._role)
        return layer


def append_quietly(view: ViewerModel, layer: Layer, role: str) -> None:
    """Add a layer that is no part of a session to a view whose active layer stays the same."""
    layer.metadata[KEY] = {"role": role, "owner": layer.unique_id}
    active = view.layers.selection.active
    view.layers.append(layer)
    view.layers.selection.active = active
