"""The keys of the Segment dock that napari's layers have a binding of their own for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.convert import role
from napari_medvlm.layers.mask_layer import PROMPT_ROLES
from napari_medvlm.widgets.commands import bound_commands, manifest_keys

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

BRUSH_KEYS = ("[", "]")
"""Keys that set napari's brush size on layers of scribbles."""


class LayerKeys:
    """Binds keys on the active layer, whose bindings napari looks up before the viewer's.

    A layer of prompts gets all keys of the dock. A layer of the user has its own undo and Escape
    and gets the keys of the tools alone. Bindings are undone when another layer is active.

    Parameters
    ----------
    viewer
        Its active layer is followed until `close`.
    module
        Dotted name of the module with the commands.
    """

    def __init__(self, viewer: Viewer, module: str) -> None:
        self._viewer = viewer
        self._commands = bound_commands(viewer, module)
        self._tool_keys = {
            key.replace("+", "-") for key, name in manifest_keys().items() if name.endswith("_tool")
        }
        self._layer: Layer | None = None
        self._replaced: dict[str, Callable[..., Any] | None] = {}
        viewer.layers.selection.events.active.connect(self._follow)
        self._follow()

    def close(self) -> None:
        """Unbind everything."""
        self._viewer.layers.selection.events.active.disconnect(self._follow)
        self._unbind()

    def _follow(self, _: object = None) -> None:
        from napari.layers import Labels

        self._unbind()
        layer = self._viewer.layers.selection.active
        if layer is None:
            return
        is_ours = role(layer) in PROMPT_ROLES
        for key, run in self._commands.items():
            is_brush = key in BRUSH_KEYS and isinstance(layer, Labels)
            if (is_ours and not is_brush) or key in self._tool_keys:
                self._replaced[key] = layer.bind_key(key, run, overwrite=True)
        self._layer = layer

    def _unbind(self) -> None:
        layer, self._layer = self._layer, None
        for key, before in self._replaced.items():
            if layer is not None:
                layer.bind_key(key, before, overwrite=True)
        self._replaced = {}
