"""Prompts, boxes and rulers that lie off the slice in view: dashed, with their distance to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.layers.display.insertions import Insertions
from napari_medvlm.layers.orientation import axis_across, position_in_view
from napari_medvlm.layers.views.linked import LinkedViews
from napari_medvlm.layers.views.off_slice_items import OffSliceItem, Outline
from napari_medvlm.layers.views.screen_lines import ScreenLines, append_quietly

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

DASHES_ROLE, DISTANCES_ROLE = "off slice", "off slice distances"
DASH_PX, GAP_PX, RING_PX = 6.0, 4.0, 12.0
"""Of a dash and the gap after it, and the diameter of the ring of a point."""
LABEL_PX, OUTLINE_PX = (18.0, 84.0), 1.2
"""Height and width of a distance, which are apart, and width of its dark outline."""
OUTLINE = "#000000"
MOST_DASHES = 200
"""Dashes of one outline: at a large zoom they are longer."""
MOST_ITEMS = 50
"""Of more items only those nearest to the slice are drawn."""


class OffSliceMarks:
    """The items within the reach of the slice, dashed, in one view.

    They are drawn where they are as seen across the slice, and cannot be moved: the layers are no
    part of the session.

    Parameters
    ----------
    view
        The viewer or a side view.
    linked
        The views it belongs to, with their items and their reach.
    """

    def __init__(self, view: ViewerModel, linked: LinkedViews) -> None:
        self.view = view
        self._linked = linked
        self._dashes = ScreenLines(view, "Off the slice", DASHES_ROLE)
        self._distances: Points | None = None
        self._drawn: object = ()
        self._is_drawing = False
        self._insertions = Insertions(view.layers, self._draw)
        for event in self._events():
            event.connect(self._draw)
        linked.reach_changed.connect(self._draw)
        linked.off_slice.changed.connect(self._on_changed)
        self._draw()

    def close(self) -> None:
        """Take the layers away."""
        for event in self._events():
            event.disconnect(self._draw)
        self._linked.reach_changed.disconnect(self._draw)
        self._linked.off_slice.changed.disconnect(self._on_changed)
        self._insertions.close()
        self._remove()

    def near(self) -> list[tuple[OffSliceItem, float]]:
        """What is off the slice in view and within the reach, with signed distances in mm."""
        dims = self.view.dims
        if self._linked.reach_mm <= 0 or dims.ndim < 3 or dims.ndisplay == 3:
            return []
        axis = axis_across(self.view)
        step_mm = float(dims.range[-3:][axis].step)
        here = position_in_view(self.view)[axis]
        items, reach_mm = self._linked.off_slice, self._linked.reach_mm
        return items.near(axis, here, step_mm, reach_mm, MOST_ITEMS)

    def _events(self) -> tuple[Any, ...]:
        dims = self.view.dims.events
        return dims.point, dims.order, dims.ndisplay, self.view.scene.camera.events.zoom

    def _on_changed(self, view: object) -> None:
        if view is None or hash(view) == hash(self.view):
            self._draw()

    def _draw(self, _: object = None) -> None:
        """Draw what is near the slice in view, if that is not drawn yet."""
        if self._insertions.is_running or self._is_drawing:
            return
        self._is_drawing = True  # adding a layer ends in another call
        try:
            self._show(self.near())
        finally:
            self._is_drawing = False

    def _show(self, near: list[tuple[OffSliceItem, float]]) -> None:
        if not near:
            if self._linked.reach_mm <= 0 or not self._linked.off_slice.has_sources:
                self._remove()
            elif self._drawn:
                self._clear()
            self._drawn = ()
            return
        axis, zoom = axis_across(self.view), float(self.view.scene.camera.zoom)
        here = position_in_view(self.view)[axis]
        wanted = (axis, here, zoom, near)
        are_there = self._dashes.layer is not None and self._distances in self.view.layers
        if wanted == self._drawn and are_there:
            return
        self._drawn = wanted
        outlines = [self._outline(item, axis, here) for item, _ in near]
        self._show_dashes(outlines, [item.color for item, _ in near], 1 / zoom)
        self._show_distances(outlines, near, axis)

    def _outline(self, item: OffSliceItem, axis: int, here: float) -> FloatArray:
        """The vertices ``(N, 3)`` of an item in mm, moved onto the slice."""
        vertices = item.vertices_mm(axis).copy()
        if item.outline is Outline.RING:
            radius = RING_PX / 2 / float(self.view.scene.camera.zoom)
            turns = np.linspace(0, 2 * np.pi, 33)
            across = [other for other in range(3) if other != axis]
            vertices = np.repeat(vertices, len(turns), axis=0)
            vertices[:, across] += radius * np.stack([np.sin(turns), np.cos(turns)], axis=-1)
        vertices[:, axis] = here
        return vertices

    def _show_dashes(self, outlines: list[FloatArray], colors: list[str], pixel_mm: float) -> None:
        from napari.utils.colormaps.standardize_color import transform_color

        dashes = [dashed(o, DASH_PX * pixel_mm, GAP_PX * pixel_mm) for o in outlines]
        counts = [len(dash) for dash in dashes]
        self._dashes.show(
            np.concatenate(dashes), np.repeat(transform_color(colors), counts, axis=0)
        )

    def _show_distances(
        self, outlines: list[FloatArray], near: list[tuple[OffSliceItem, float]], axis: int
    ) -> None:
        layer = self._ready_distances()
        down, right = (other for other in range(3) if other != axis)
        is_up = str(self.view.scene.camera.orientation2d[0]) == "up"
        down_sign = -1.0 if is_up else 1.0
        zoom = float(self.view.scene.camera.zoom)
        corners = np.array(
            [o[np.lexsort((o[:, right], down_sign * o[:, down]))[0]] for o in outlines]
        )
        in_view = corners[:, [down, right]] * zoom * (down_sign, 1.0)
        corners[:, down] -= down_sign * raised(in_view, LABEL_PX) / zoom
        copies = np.repeat(corners[None], 5, axis=0)  # four dark ones are the outline
        copies[:4, :, [down, right]] += (
            OUTLINE_PX / zoom * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])[:, None]
        )
        texts = [f"{distance:+z.1f} mm" for _, distance in near]
        # Drawn once, by the refresh below; the event of the data has napari measure all layers.
        with layer.events.set_data.blocker(), layer.events.data.blocker():
            layer.data = copies.reshape(-1, 3)
            layer.features = {
                "distance": texts * 5,
                "color": [OUTLINE] * (4 * len(texts)) + [item.color for item, _ in near],
            }
        layer.refresh(extent=False, thumbnail=False)

    def _clear(self) -> None:
        """Leave empty layers: those of vispy take long to be made again at the next slice."""
        self._dashes.clear()
        if self._distances is not None:
            self._distances.data = np.zeros((0, 3))

    def _remove(self) -> None:
        self._dashes.remove()
        layer, self._distances = self._distances, None
        if layer is not None and layer in self.view.layers:
            self.view.layers.remove(layer)

    def _ready_distances(self) -> Points:
        if self._distances is None or self._distances not in self.view.layers:
            from napari.layers import Points

            self._distances = Points(
                ndim=3,
                name="Distances to the slice",
                border_width=0,
                face_color="transparent",
                features={"distance": np.zeros(0, object), "color": np.zeros(0, object)},
                text={
                    "string": "{distance}",
                    "size": 10,
                    "color": {"feature": "color", "fallback": "white"},
                    "anchor": "upper_left",
                    "translation": np.zeros(3),
                },
            )
            self._distances.current_face_color = "transparent"
            append_quietly(self.view, self._distances, DISTANCES_ROLE)
            self._distances.editable = False
        return self._distances


def raised(corners_px: FloatArray, size_px: tuple[float, float]) -> FloatArray:
    """How far up texts are moved so that none lies on an earlier one, in pixels.

    Parameters
    ----------
    corners_px
        ``(N, 2)``: down and right.
    size_px
        Height and width of a text.
    """
    height, width = size_px
    at = corners_px.copy()
    for row in range(1, len(at)):
        beside = at[:row][np.abs(at[:row, 1] - at[row, 1]) < width, 0]
        while (np.abs(beside - at[row, 0]) < height).any():
            at[row, 0] -= height / 2
    up: FloatArray = corners_px[:, 0] - at[:, 0]
    return up


def dashed(vertices: FloatArray, dash: float, gap: float) -> FloatArray:
    """The dashes along a path, as vectors.

    Parameters
    ----------
    vertices
        ``(N, 3)``.
    dash, gap
        Lengths in the unit of the vertices; both are longer where the path would have more than
        `MOST_DASHES` dashes.

    Returns
    -------
    ``(M, 2, 3)``: the start and the direction of each dash.
    """
    steps = np.linalg.norm(np.diff(vertices, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    period = max(dash + gap, at[-1] / MOST_DASHES)
    starts = np.arange(0.0, max(at[-1], 1e-9), period)[:MOST_DASHES]
    stops = np.minimum(starts + period * dash / (dash + gap), at[-1])
    first, last = (
        np.stack([np.interp(where, at, values) for values in vertices.T], axis=-1)
        for where in (starts, stops)
    )
    return np.stack([first, last - first], axis=1)
