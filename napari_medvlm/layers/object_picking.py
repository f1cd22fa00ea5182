"""Choosing the active object by a click on its mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.grid import round_index
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer

LEFT_BUTTON = 1
"""As napari numbers the buttons of the mouse."""
PICK_KEY = "Alt"
"""The key that has a click choose an object while a tool for prompts is active."""
CLICK_PX = 5
"""A press that moves farther on the screen before its release is a drag."""


class ObjectPicking:
    """Activates the object under a click: with Pan/zoom, or with Alt and any tool.

    Parameters
    ----------
    viewer
        Whose canvas is clicked.
    session
        Whose objects are activated.
    """

    def __init__(self, viewer: Viewer, session: SegmentationSession) -> None:
        self._viewer = viewer
        self._session = session
        viewer.mouse_drag_callbacks.append(self._on_press)

    def close(self) -> None:
        """Leave the viewer's clicks alone."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, viewer: Viewer, event: Any) -> Iterator[None]:
        start = event.pos
        if event.button != LEFT_BUTTON or not self._picks(event):
            return
        yield
        while event.type == "mouse_move":
            yield
        if np.linalg.norm(start - event.pos) < CLICK_PX:
            object_id = self.object_at(event.position)
            if object_id is not None:
                self._session.activate(object_id)

    def _picks(self, event: Any) -> bool:
        if self._viewer.dims.ndisplay != 2:
            return False
        active = self._viewer.layers.selection.active
        looks = active is None or str(active.mode) == "pan_zoom"
        return PICK_KEY in event.modifiers or (looks and not event.modifiers)

    def object_at(self, position: tuple[float, ...]) -> int | None:
        """The object drawn at a position of the viewer's world, or None."""
        grid = self._session.volume.grid
        index = round_index(grid.to_index(position[-3:]))
        if not grid.contains(index):
            return None
        label = int(self._session.labels[tuple(index)])
        return label if label in self._session.now.objects else None
