"""Layers of one purpose, found by role, whose display settings outlive the layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import KEY

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

SETTINGS = ("opacity", "visible", "blending")
"""What a user sets in napari's layer controls and a layer shown again must have."""


class LayerSet:
    """The layers that one part of the plugin adds to a viewer, by role.

    A layer that is removed and added again under the same role gets the opacity, visibility and
    blending that it had.

    Parameters
    ----------
    viewer, volume
        The viewer that shows the layers, and the volume that they belong to.
    kind
        Prefix of the roles in the layers' metadata.
    """

    def __init__(self, viewer: Viewer, volume: Volume, kind: str) -> None:
        self.viewer = viewer
        self.volume = volume
        self.kind = kind
        self._layers: dict[str, Layer] = {}
        self._settings: dict[str, dict[str, Any]] = {}

    @property
    def roles(self) -> list[str]:
        """The roles of all layers."""
        return list(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        """All layers that are in the viewer."""
        return (layer for layer in map(self.get, self.roles) if layer is not None)

    def get(self, role: str) -> Layer | None:
        """The layer of a role; `None` if there is none or the user removed it."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self.viewer.layers else None

    def add(self, role: str, layer: Layer) -> Layer:
        """Add a layer to the viewer under a role."""
        layer.metadata[KEY] = {
            **layer.metadata.get(KEY, {}),
            "role": f"{self.kind} {role}",
            "volume": self.volume,
            "owner": layer.unique_id,
        }
        for name, value in self._settings.get(role, {}).items():
            setattr(layer, name, value)
        self.viewer.add_layer(layer)
        self._layers[role] = layer
        return layer

    def remove(self, role: str) -> None:
        """Remove the layer of a role from the viewer, and remember its settings."""
        layer = self.get(role)
        self._layers.pop(role, None)
        if layer is not None:
            self._settings[role] = {name: getattr(layer, name) for name in SETTINGS}
            self.viewer.layers.remove(layer)

    def clear(self) -> None:
        """Remove all layers from the viewer."""
        for role in self.roles:
            self.remove(role)
