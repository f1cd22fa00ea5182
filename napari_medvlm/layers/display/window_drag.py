"""Changing the window of an image with the mouse, whatever tool is active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.errors import InvalidImage, MedVLMError
from napari_medvlm.data.volume import Window
from napari_medvlm.data.window_presets import dragged, window_of_values
from napari_medvlm.layers.display.visible_values import visible_values
from napari_medvlm.layers.display.window_control import WindowControl
from napari_medvlm.layers.object_picking import LEFT_BUTTON

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

RECTANGLE = "medvlm_window_rectangle"
"""Name of the canvas overlay that is drawn while a rectangle is dragged."""


class WindowGesture(Enum):
    """What a drag of the mouse does: change width and centre, or take them from a rectangle."""

    LEVELS = "levels"
    RECTANGLE = "rectangle"


class WindowDrag:
    """Reads drags of the mouse as changes of the window while a key is held, or once.

    During such a drag the active layer gets no mouse event and the camera does not move; nothing
    of either is changed afterwards.

    Parameters
    ----------
    viewer
        Its mouse is read by a callback of the viewer, which napari calls before the layer's.
    on_error
        Called with what cannot be done.

    Attributes
    ----------
    control
        The window that is changed.
    """

    def __init__(self, viewer: Viewer, on_error: Callable[[MedVLMError], None]) -> None:
        self.control = WindowControl(viewer)
        self._on_error = on_error
        self._gesture: WindowGesture | None = None
        self._is_once = False
        viewer.mouse_drag_callbacks.append(self._on_press)

    def begin(self, gesture: WindowGesture, once: bool = False) -> None:
        """Read drags as a gesture from now on, until `end`, or ``once``."""
        self._gesture, self._is_once = gesture, once

    def end(self) -> None:
        """Leave the mouse to napari again; a drag that has begun goes on."""
        self._gesture = None

    def _on_press(self, viewer: Viewer, event: Any) -> Iterator[None]:
        gesture = self._gesture
        if gesture is None or event.button != LEFT_BUTTON:
            return
        if self._is_once:
            self.end()
        if self.control.layer is None:
            self._on_error(
                InvalidImage("There is no grey image.", "Open an image to change its window.")
            )
            return
        event.handled = True
        active = viewer.layers.selection.active
        callbacks = _without_callbacks(active)
        steps = (
            self._drag_levels(event)
            if gesture is WindowGesture.LEVELS
            else self._drag_rectangle(viewer, event)
        )
        next(steps)
        yield
        if active is not None and not active.mouse_drag_callbacks:
            active.mouse_drag_callbacks.extend(callbacks)
        for _ in steps:
            event.handled = True  # the camera must not move
            yield

    def _drag_levels(self, event: Any) -> Iterator[None]:
        start, window = np.array(event.pos), self.control.window
        assert window is not None
        is_pet = self.control.is_pet
        self.control.begin()
        yield
        while event.type in ("mouse_move", "mouse_release"):
            right, down = (np.array(event.pos) - start).tolist()
            self.control.change(dragged(window, right, -down, fixes_low=is_pet))
            if event.type == "mouse_release":
                break
            yield
        self.control.end()

    def _drag_rectangle(self, viewer: Viewer, event: Any) -> Iterator[None]:
        corner, start = event.position, event.pos
        overlay = _rectangle(viewer)
        overlay.position = (start[::-1], start[::-1])
        overlay.visible = True
        yield
        while event.type == "mouse_move":
            overlay.position = (start[::-1], event.pos[::-1])
            yield
        overlay.visible = False
        try:
            self.control.show(self._window_within(viewer, corner, event.position))
        except MedVLMError as error:
            self._on_error(error)

    def _window_within(self, viewer: Viewer, corner: Any, opposite: Any) -> Window:
        layer = self.control.layer
        if layer is None or viewer.dims.ndisplay == 3:
            raise InvalidImage(
                "The 3D view has no rectangle of the image.", "Show a plane and drag there."
            )
        window = window_of_values(visible_values(viewer, layer, corner, opposite))
        if window is None:
            raise InvalidImage(
                "The rectangle has no contrast.", "Drag over a part of the image with contrast."
            )
        return window


def window_drag(viewer: Viewer, on_error: Callable[[MedVLMError], None]) -> WindowDrag:
    """The `WindowDrag` of a viewer, added to its mouse callbacks if there is none."""
    for callback in viewer.mouse_drag_callbacks:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, WindowDrag):
            return owner
    return WindowDrag(viewer, on_error)


def _without_callbacks(layer: Layer | None) -> list[Any]:
    """Take the drag callbacks of a layer away; returns them."""
    if layer is None:
        return []
    callbacks = list(layer.mouse_drag_callbacks)
    layer.mouse_drag_callbacks.clear()
    return callbacks


def _rectangle(viewer: Viewer) -> Any:
    from napari.components.overlays import ZoomOverlay

    overlays = viewer.canvas.overlays
    if RECTANGLE not in overlays:
        overlays[RECTANGLE] = ZoomOverlay()
    return overlays[RECTANGLE]
