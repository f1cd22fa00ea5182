"""The tools of the Segment dock as modes of the session's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.convert import role
from napari_medvlm.layers.mask_layer import LAYER_ROLES
from napari_medvlm.layers.views.session_views import LinkedSessionLayers
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import DeferredCalls
from napari_medvlm.widgets.segment.prompt_toolbar import Tool, Tools

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QWidget


class ToolLayers:
    """Sets the chosen tool, polarity and slab thickness on the layers of the open session.

    Parameters
    ----------
    parent
        The dock; with it the deferred calls end.
    """

    def __init__(self, viewer: Viewer, tools: Tools, parent: QWidget) -> None:
        self._viewer = viewer
        self._tools = tools
        self._layers: LinkedSessionLayers | None = None
        self._back_in_2d = DeferredCalls(parent, self._use_again)
        tools.tool_changed.connect(guarded(self._use))
        tools.polarity_changed.connect(guarded(self._set_polarity))
        tools.depth_changed.connect(guarded(self._set_depth))
        tools.object_per_point_changed.connect(guarded(self._set_object_per_point))
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    def bind(self, layers: LinkedSessionLayers | None) -> None:
        """Work with the layers of another session; `None` while no image is open."""
        self._layers = layers
        if layers is not None:
            layers.set_polarity(self._tools.positive)
            self._set_object_per_point(self._tools.is_object_per_point)

    def _use(self, tool: Tool) -> None:
        if self._layers is None:
            return
        modes: dict[Tool, tuple[Any, str]] = {
            Tool.POINT: (self._layers.points, "add"),
            Tool.BOX: (self._layers.shapes, "add_rectangle"),
            Tool.LASSO: (self._layers.shapes, "add_polygon_lasso"),
            Tool.LINE: (self._layers.shapes, "add_line"),
            Tool.SCRIBBLE: (self._layers.scribbles, "paint"),
            Tool.PAINT: (self._layers.mask, "paint"),
            Tool.LOOK: (None, "pan_zoom"),
        }
        self._layers.use(*modes[tool])

    def _on_ndisplay(self, _: object) -> None:
        if self._viewer.dims.ndisplay == 2:
            self._back_in_2d.begin()

    def _use_again(self) -> None:
        """Use the chosen tool after the 3D view, for which napari turns some of its modes off."""
        active, tool = self._viewer.layers.selection.active, self._tools.tool
        if tool is not Tool.LOOK and active is not None and role(active) in LAYER_ROLES:
            self._use(tool)

    def _set_polarity(self, positive: bool) -> None:
        if self._layers is not None:
            self._layers.set_polarity(positive)

    def _set_object_per_point(self, is_on: bool) -> None:
        if self._layers is not None:
            self._layers.points.is_object_per_point = is_on

    def _set_depth(self, depth_mm: float) -> None:
        if self._layers is not None:
            self._layers.set_depth(depth_mm)
