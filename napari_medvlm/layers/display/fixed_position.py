"""Layers that stay where they are: an image that is worked on, its masks and its prompts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import KEY, role

if TYPE_CHECKING:
    from napari.layers import Layer

TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine")
"""Attributes and events of a layer that is moved, turned or scaled."""
PAUSE_S = 2.0
"""Attempts to move a layer that follow each other faster are reported once; in seconds."""


class FixedPosition:
    """Takes back what moves, turns or scales a layer, until it is closed.

    Prompts and masks are in the frame of the patient. An image that was moved in the viewer would
    be seen elsewhere than its masks.

    Parameters
    ----------
    layer
        The layer.
    on_moved
        Called after a change was taken back, once for a drag of the mouse.
    """

    def __init__(self, layer: Layer, on_moved: Callable[[], object]) -> None:
        self._layer = layer
        self._on_moved = on_moved
        self._position = _position(layer)
        self._is_restoring = False
        self._last_s = -PAUSE_S
        for name in TRANSFORMS:
            getattr(layer.events, name).connect(self._restore)

    def close(self) -> None:
        """Let the layer be moved again."""
        for name in TRANSFORMS:
            getattr(self._layer.events, name).disconnect(self._restore)

    def _restore(self, _: object = None) -> None:
        if self._is_restoring:
            return
        self._is_restoring = True
        try:
            is_moved = _move_to(self._layer, self._position)
        finally:
            self._is_restoring = False
        if is_moved:
            now, last = time.monotonic(), self._last_s
            self._last_s = now
            if now - last >= PAUSE_S:
                self._on_moved()


def restore_position(layer: Layer) -> bool:
    """Move an image of ours to its position in the patient; whether it was elsewhere."""
    volume = layer.metadata.get(KEY, {}).get("volume")
    if role(layer) != "image" or not isinstance(volume, Volume) or layer.ndim != 3:
        return False
    home = {
        "scale": np.ones(3),
        "translate": np.zeros(3),
        "rotate": np.eye(3),
        "shear": np.zeros(3),
        "affine": display_grid(volume.grid).affine,
    }
    return _move_to(layer, home)


def _position(layer: Layer) -> dict[str, Any]:
    values = {name: np.array(getattr(layer, name)) for name in TRANSFORMS[:-1]}
    return values | {"affine": np.array(layer.affine.affine_matrix)}


def _move_to(layer: Layer, position: dict[str, Any]) -> bool:
    """Set what differs from a position; whether anything did."""
    now = _position(layer)
    differing = [name for name in TRANSFORMS if not np.allclose(now[name], position[name])]
    for name in differing:
        setattr(layer, name, position[name])
    return bool(differing)
