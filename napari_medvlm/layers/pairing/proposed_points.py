"""Proposed points of lesions as a Points layer: hollow rings that the mouse moves and deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.display.screen_size import ScreenSize
from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.sessions.cursor import Position

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Points

KIND, ROLE = "follow-up", "proposed points"
COLOR = "#ffb000"
DIAMETER_PX = 16.0
"""Wider than the marker of a prompt: it encloses a small lesion."""
HOLLOW = "#00000000"


@dataclass(frozen=True)
class ProposedPoint:
    """A point with a name, ``(S, P, L)`` in millimetres of the current study."""

    name: str
    point_mm: Position


class ProposedPoints:
    """The layer of the points that are not decided yet.

    Parameters
    ----------
    viewer, volume
        The viewer, and the current study.

    Attributes
    ----------
    moved
        Emitted with the value of a lesion and the ``(S, P, L)`` mm to which its point was dragged.
    deleted
        Emitted with the value of a lesion whose point was deleted.
    accept_pressed
        Emitted with the values of the selected points when Enter is pressed.
    """

    moved = Signal(int, object)
    deleted = Signal(int)
    accept_pressed = Signal(object)

    def __init__(self, viewer: Viewer, volume: Volume) -> None:
        self.viewer = viewer
        self._layers = LayerSet(viewer, volume, KIND)
        self._grid = display_grid(volume.grid)
        self._shown: dict[int, ProposedPoint] = {}
        self._is_drawing = self._is_dragging = False

    @property
    def layer(self) -> Points | None:
        """The layer, if it is in the viewer."""
        return self._layers.get(ROLE)

    def show(self, points: Mapping[int, ProposedPoint]) -> None:
        """Show points by the value of their lesion; nothing changes while one is dragged."""
        is_same = dict(points) == self._shown and (self.layer is not None or not points)
        if self._is_dragging or is_same:
            return
        selected = self.selected
        self._shown = dict(points)
        self._draw()
        self.select(*selected)

    @property
    def selected(self) -> list[int]:
        """The values of the lesions whose points are selected."""
        values, layer = list(self._shown), self.layer
        return [] if layer is None else [values[i] for i in sorted(layer.selected_data)]

    def select(self, *values: int) -> None:
        """Select the points of lesions, of those that are shown."""
        if self.layer is not None:
            shown = list(self._shown)
            self.layer.selected_data = {shown.index(v) for v in values if v in shown}

    def close(self) -> None:
        """Remove the layer."""
        self._layers.clear()
        self._shown = {}

    def _draw(self) -> None:
        self._is_drawing = True
        try:
            layer = self.layer
            if layer is None:
                layer = self._make()
            layer.selected_data = set()
            points = np.array([p.point_mm for p in self._shown.values()]).reshape(-1, 3)
            layer.data = self._grid.to_index(points)
            layer.features = {
                "value": np.array(list(self._shown), int),
                "name": [p.name for p in self._shown.values()],
            }
            layer.face_color, layer.border_color = HOLLOW, COLOR
            layer.refresh()
        finally:
            self._is_drawing = False

    def _make(self) -> Points:
        from napari.layers import Points

        layer = Points(
            ndim=3,
            name="Proposed points",
            affine=self._grid.affine,
            face_color=HOLLOW,
            border_color=COLOR,
            border_width=0.12,
            blending="translucent_no_depth",
            features={"value": np.zeros(0, int), "name": np.zeros(0, object)},
            text={"string": "{name}", "color": COLOR, "size": 11, "anchor": "upper_left"},
        )
        active = self.viewer.layers.selection.active
        self._screen_size = ScreenSize(self.viewer, layer, DIAMETER_PX)
        self._layers.add(ROLE, layer)
        layer.mode = "select"
        layer.events.data.connect(self._on_data)
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.bind_key("Enter", self._on_enter, overwrite=True)
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active
        return layer

    def _on_enter(self, _: Points) -> None:
        """Accept the selected points."""
        self.accept_pressed.emit(self.selected)

    def _on_drag(self, layer: Points, event: Any) -> Iterator[None]:
        """Report the new position of a dragged point when the mouse is released."""
        self._is_dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._is_dragging = False
        self._read(layer)

    def _on_data(self, event: Any) -> None:
        """Report what was moved or deleted; a point that was added is removed again."""
        action = str(getattr(event, "action", "")).rpartition(".")[2].lower()
        if self._is_drawing or action in ("adding", "changing", "removing"):
            return
        if action == "added":
            self._draw()
        elif not self._is_dragging:
            self._read(event.source)

    def _read(self, layer: Points) -> None:
        """Compare the layer with what was shown."""
        values = [int(value) for value in layer.features["value"]]
        points = self._grid.to_world(np.asarray(layer.data, float).reshape(-1, 3))
        positions = dict(zip(values, points, strict=False))
        for value, point in tuple(self._shown.items()):
            if value not in positions:
                self._shown.pop(value)
                self.deleted.emit(value)
            elif not np.allclose(positions[value], point.point_mm, atol=1e-3):
                s, p, left = positions[value].tolist()
                self._shown[value] = ProposedPoint(point.name, (s, p, left))
                self.moved.emit(value, (s, p, left))
