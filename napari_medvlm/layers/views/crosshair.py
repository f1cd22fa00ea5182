"""A crosshair at the cursor position, in one view: lines where the other planes cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.layers.display.insertions import Insertions
from napari_medvlm.layers.object_picking import LEFT_BUTTON
from napari_medvlm.layers.views.screen_lines import ScreenLines
from napari_medvlm.sessions.cursor import CursorPosition, Position

if TYPE_CHECKING:
    from napari.components import ViewerModel

ROLE = "crosshair"
COLORS = ("#ff5555", "#55dd55", "#ffee55")
"""Of the axial, coronal and sagittal plane, as in 3D Slicer."""
GAP_PX, NEAR_PX = 10.0, 6.0
"""Of the gap around the cursor, and from a line within which it is dragged."""


class Crosshair:
    """Lines through the cursor in a view, which the mouse drags.

    Drag a line to move it, or the gap between the lines to move both. With Shift held, a press
    anywhere moves the cursor there, also while a tool is active.

    Parameters
    ----------
    view
        The viewer or a side view.
    cursor
        The position that the lines show and set.
    """

    def __init__(self, view: ViewerModel, cursor: CursorPosition) -> None:
        self.view = view
        self._cursor = cursor
        self._shown = ScreenLines(view, "Crosshair", ROLE)
        self._insertions = Insertions(view.layers, self._draw)
        cursor.moved.connect(self._draw)
        for event in self._events():
            event.connect(self._draw)
        view.layers.events.removed.connect(self._on_removed)
        view.layers.events.inserted.connect(self._on_inserted, position="last")
        view.mouse_drag_callbacks.insert(0, self._on_press)
        self._draw()

    def close(self) -> None:
        """Take the lines away."""
        self._cursor.moved.disconnect(self._draw)
        for event in self._events():
            event.disconnect(self._draw)
        self.view.layers.events.removed.disconnect(self._on_removed)
        self.view.layers.events.inserted.disconnect(self._on_inserted)
        self._insertions.close()
        self.view.mouse_drag_callbacks.remove(self._on_press)
        self._shown.remove()

    def _events(self) -> tuple[Any, ...]:
        dims = self.view.dims.events
        return dims.order, dims.ndisplay, self.view.scene.camera.events.zoom

    def _on_removed(self, _: Any) -> None:
        """Leave no crosshair without an image."""
        if self._shown.layer is not None and len(self.view.layers) == 1:
            self._shown.remove()

    def _on_inserted(self, event: Any) -> None:
        """Let no image that is opened or computed cover the lines."""
        from napari.layers import Image

        layers, lines = self.view.layers, self._shown.layer
        if isinstance(event.value, Image) and lines is not None:
            at = layers.index(lines)
            if at < layers.index(event.value):
                layers.move(at, len(layers))

    def _draw(self, _: object = None) -> None:
        """Draw the lines where the cursor is."""
        from napari.utils.colormaps.standardize_color import transform_color

        position = self._cursor.position_mm
        if position is None or self.view.dims.ndim < 3 or not self.view.layers:
            return
        if self._insertions.is_running and self._shown.layer is None:
            return
        vectors, colors = self._lines(position)
        self._shown.show(vectors, transform_color(colors) if colors else np.zeros((0, 4)))

    def _lines(self, position: Position) -> tuple[NDArray[np.float64], list[str]]:
        """Vectors ``(N, 2, 3)`` of start and direction in mm, and their colours."""
        dims = self.view.dims
        extra = int(dims.ndim) - 3
        ranges = np.array(dims.range)[extra:]
        low, high = ranges[:, 0] + ranges[:, 2] / 2, ranges[:, 1] - ranges[:, 2] / 2
        at = np.clip(position, np.minimum(low, high), np.maximum(low, high))
        shown = [int(axis) - extra for axis in dims.displayed]
        gap = GAP_PX / self.view.scene.camera.zoom
        vectors, colors = [], []
        for axis in shown:
            across = [other for other in range(3) if other in shown and other != axis]
            color = COLORS[across[0]] if len(shown) == 2 else COLORS[axis]
            for end, sign in ((low[axis], -1.0), (high[axis], 1.0)):
                start = at.copy()
                start[axis] += sign * gap
                direction = np.zeros(3)
                direction[axis] = end - start[axis]
                if direction[axis] * sign > 0:
                    vectors.append([start, direction])
                    colors.append(color)
        return np.array(vectors).reshape(-1, 2, 3), colors

    def _on_press(self, _: Any, event: Any) -> Iterator[None]:
        """Drag the lines that are under the mouse."""
        axes = self._grabbed(event)
        if not axes:
            return
        with self._no_tool(is_needed=bool(event.modifiers)):
            event.handled = True
            if event.modifiers:
                self._move(event, axes)
            yield
            while event.type == "mouse_move":
                event.handled = True
                self._move(event, axes)
                yield

    def _grabbed(self, event: Any) -> list[int]:
        """The axes (0 S, 1 P, 2 L) that a press at this place moves."""
        dims, position = self.view.dims, self._cursor.position_mm
        if position is None or event.button != LEFT_BUTTON or dims.ndisplay != 2 or dims.ndim < 3:
            return []
        shown = [int(axis) - (int(dims.ndim) - 3) for axis in dims.displayed]
        if tuple(event.modifiers) == ("Shift",):
            return shown
        active = self.view.layers.selection.active
        is_tool = active is not None and str(active.mode) != "pan_zoom"
        if event.modifiers or is_tool:
            return []
        zoom = self.view.scene.camera.zoom
        off_px = {axis: abs(event.position[-3:][axis] - position[axis]) * zoom for axis in shown}
        near = [axis for axis in shown if off_px[axis] <= NEAR_PX]
        return shown if max(off_px.values()) <= GAP_PX else near

    def _move(self, event: Any, axes: list[int]) -> None:
        position = list(self._cursor.position_mm or (0.0, 0.0, 0.0))
        for axis in axes:
            bounds = self.view.dims.range[-3:][axis]
            position[axis] = float(np.clip(event.position[-3:][axis], bounds.start, bounds.stop))
        self._cursor.move_to(position)

    @contextmanager
    def _no_tool(self, is_needed: bool) -> Iterator[None]:
        """Turn the tool of the active layer off while the crosshair is dragged."""
        active = self.view.layers.selection.active
        mode = None if active is None else str(active.mode)
        if not is_needed or active is None or mode == "pan_zoom":
            yield
            return
        active.mode = "pan_zoom"
        try:
            yield
        finally:
            if active in self.view.layers:
                active.mode = mode
