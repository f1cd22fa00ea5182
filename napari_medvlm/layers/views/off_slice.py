"""Prompts that lie off the slice in view: hollow, with their distance to the slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.colors import NEGATIVE, POSITIVE
from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.insertions import Insertions
from napari_medvlm.layers.display.screen_size import ScreenSize
from napari_medvlm.layers.orientation import axis_across, position_in_view
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

ROLE = "off slice"


@dataclass(frozen=True)
class OffSlice:
    """A prompt that lies off the slice.

    Parameters
    ----------
    position_mm
        Its point on the slice that is nearest to its centre, ``(S, P, L)`` in mm.
    distance_mm
        How far it lies off the slice: positive towards superior, posterior or left.
    positive
        Whether the prompt is positive.
    is_box
        Whether it is a box.
    """

    position_mm: tuple[float, float, float]
    distance_mm: float
    positive: bool
    is_box: bool


class OffSlicePrompts:
    """The points and boxes of the active object within a reach of the slice, in one view.

    Parameters
    ----------
    view
        The viewer or a side view.
    session
        Whose prompts.
    """

    def __init__(self, view: ViewerModel, session: SegmentationSession) -> None:
        self.view = view
        self.session = session
        self._grid = display_grid(session.volume.grid)
        self._linked = linked_views(view)
        self._layer: Points | None = None
        self._drawn: tuple[OffSlice, ...] = ()
        self._insertions = Insertions(view.layers, self.pull)
        for event in self._events():
            event.connect(self.pull)
        self._linked.reach_changed.connect(self.pull)

    def close(self) -> None:
        """Take the layer away."""
        for event in self._events():
            event.disconnect(self.pull)
        self._linked.reach_changed.disconnect(self.pull)
        self._insertions.close()
        if self._layer is not None and self._layer in self.view.layers:
            self.view.layers.remove(self._layer)
        self._layer = None

    def pull(self, _: object = None) -> None:
        """Draw the prompts as the session has them, for the slice in view."""
        if self._insertions.is_running:
            return
        wanted = self.prompts()
        is_there = self._layer is not None and self._layer in self.view.layers
        if wanted == self._drawn and (is_there or not wanted):
            return
        self._drawn = wanted
        if not wanted and not is_there:
            return
        active = self.view.layers.selection.active
        layer = self._ready()
        if self.view.layers.selection.active is not active:
            self.view.layers.selection.active = active
        with layer.events.set_data.blocker():  # drawn once, by the refresh below
            self._set(layer, wanted)
        layer.refresh(extent=False)

    def _set(self, layer: Points, wanted: tuple[OffSlice, ...]) -> None:
        """Set positions and, only where they differ, looks: napari slices again each time."""
        from napari.utils.colormaps.standardize_color import transform_color

        positions = np.array([prompt.position_mm for prompt in wanted]).reshape(-1, 3)
        layer.data = self._grid.to_index(positions)
        if not wanted:
            return
        names = [POSITIVE if prompt.positive else NEGATIVE for prompt in wanted]
        colors = transform_color(names)
        if not np.allclose(layer.border_color, colors, atol=1e-3):
            layer.border_color = colors
        symbols = ["square" if prompt.is_box else "disc" for prompt in wanted]
        if [str(symbol) for symbol in layer.symbol] != symbols:
            layer.symbol = symbols
        layer.features = {
            "distance": [f"{prompt.distance_mm:+z.1f} mm" for prompt in wanted],
            "color": names,
        }

    def prompts(self) -> tuple[OffSlice, ...]:
        """The prompts off the slice in view and within the reach."""
        reach_mm, dims = self._linked.reach_mm, self.view.dims
        live = self.session.now.objects.get(self.session.active or 0)
        if reach_mm <= 0 or live is None or dims.ndim < 3 or dims.ndisplay == 3:
            return ()
        axis = axis_across(self.view)
        here = position_in_view(self.view)[axis]
        off_slice = []
        for prompt in live.prompts.values():
            bounds = _bounds(prompt)
            if bounds is None:
                continue
            low, high = bounds[:, axis].min(), bounds[:, axis].max()
            distance = low - here if low > here else min(high - here, 0.0)
            if self._grid.spacing[axis] / 2 < abs(distance) <= reach_mm:
                s, p, left = self._on_slice(bounds.mean(axis=0), axis, here)
                off_slice.append(
                    OffSlice((s, p, left), distance, prompt.positive, isinstance(prompt, Box))
                )
        return tuple(off_slice)

    def _on_slice(self, center: FloatArray, axis: int, here: float) -> list[float]:
        """A point moved onto the middle of the voxels in view, where napari draws it."""
        center = center.copy()
        center[axis] = here
        index = self._grid.to_index(center)
        index[axis] = np.round(index[axis])
        values: list[float] = self._grid.to_world(index).tolist()
        return values

    def _events(self) -> tuple[Any, ...]:
        dims = self.view.dims.events
        return dims.point, dims.order, dims.ndisplay

    def _ready(self) -> Points:
        if self._layer is None or self._layer not in self.view.layers:
            from napari.layers import Points

            self._layer = Points(
                ndim=3,
                name="Prompts off the slice",
                affine=self._grid.affine,
                border_width=0.2,
                face_color="transparent",
                features={"distance": np.zeros(0, object), "color": np.zeros(0, object)},
                text={
                    "string": "{distance}",
                    "size": 10,
                    "color": {"feature": "color", "fallback": "white"},
                    "anchor": "upper_left",
                    "translation": np.zeros(3),
                },
                opacity=0.8,
            )
            self._layer.current_face_color = "transparent"
            self._layer.metadata[KEY] = {"role": ROLE, "owner": self._layer.unique_id}
            self._screen_size = ScreenSize(self.view, self._layer)
            self._layer.editable = False
            self.view.layers.append(self._layer)
        return self._layer


def _bounds(prompt: Any) -> FloatArray | None:
    """The points ``(N, 3)`` in mm that a prompt spans; `None` if it is not drawn off its slice."""
    if isinstance(prompt, Point):
        return np.array([prompt.position_mm], float)
    return np.array(prompt.corners(), float) if isinstance(prompt, Box) else None
