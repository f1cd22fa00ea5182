"""The layers of a viewer in a side view, as they come, go and change their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.convert import role
from napari_medvlm.layers.views.twin import LayerTwin

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

OWN_ROLES = (
    "points",
    "shapes",
    "scribbles",
    "mask",
    "crosshair",
    "off slice",
    "off slice distances",
)
"""Roles of layers that each view has one of its own of: they are not mirrored."""
OWN_ENDINGS = (" boxes", " callouts")
"""Endings of roles of layers that are drawn for the plane of each view."""


def is_mirrored(layer: Layer) -> bool:
    """Whether side views show a layer by a twin, and not by one that is made for them."""
    own = role(layer) or ""
    return own not in OWN_ROLES and not own.endswith(OWN_ENDINGS)


class LayerMirror:
    """Mirrors each layer of a viewer in a side view.

    Parameters
    ----------
    main
        The viewer.
    side
        The view that shows twins of its layers.
    """

    def __init__(self, main: ViewerModel, side: ViewerModel) -> None:
        self._main = main
        self._side = side
        self._twins: dict[int, LayerTwin] = {}
        for layer in main.layers:
            self._add(layer)
        for event, callback in self._callbacks():
            event.connect(callback, position="last")
        self._follow_active()

    def close(self) -> None:
        """Disconnect and take all twins away."""
        for event, callback in self._callbacks():
            event.disconnect(callback)
        for twin in self._twins.values():
            twin.close()
        self._twins.clear()
        self._side.layers.clear()

    def in_side(self, layer: Layer) -> Layer | None:
        """The layer of the side view that mirrors a layer of the viewer."""
        twin = self._twins.get(id(layer))
        if twin is not None:
            return twin.layer
        own = role(layer)
        return next((other for other in self._side.layers if own and role(other) == own), None)

    def _callbacks(self) -> tuple[tuple[Any, Callable[[Any], None]], ...]:
        layers = self._main.layers
        return (
            (layers.events.inserted, self._on_inserted),
            (layers.events.removed, self._on_removed),
            (layers.events.reordered, self._on_reordered),
            (layers.selection.events.active, self._follow_active),
        )

    def _on_inserted(self, event: Any) -> None:
        self._add(event.value)
        self._on_reordered()

    def _add(self, layer: Layer) -> None:
        if is_mirrored(layer):
            twin = self._twins[id(layer)] = LayerTwin(layer, self._main, self._side)
            self._side.layers.append(twin.layer)

    def _on_removed(self, event: Any) -> None:
        twin = self._twins.pop(id(event.value), None)
        if twin is not None:
            twin.close()
            self._side.layers.remove(twin.layer)

    def _on_reordered(self, _: Any = None) -> None:
        """Put the twins into the order of the viewer, and what is not a twin where it was made."""
        wanted = [other for other in map(self.in_side, self._main.layers) if other is not None]
        for position, layer in enumerate(wanted):
            at = self._side.layers.index(layer)
            if at != position and at > position:
                self._side.layers.move(at, position)

    def _follow_active(self, _: Any = None) -> None:
        active = self._main.layers.selection.active
        other = None if active is None else self.in_side(active)
        if other is not None and self._side.layers.selection.active is not other:
            self._side.layers.selection.active = other
