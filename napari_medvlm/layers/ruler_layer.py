"""Distances and angles as a Shapes layer, with their values next to them as they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.box_shapes import transform_of
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.fixed_position import FixedPosition
from napari_medvlm.layers.orientation import axis_across, position_in_view
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice_items import OffSliceItem, Outline

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Shapes

COLOR = "#ff8c1a"
"""Differs from bright bone, dark air and the first colours of objects."""
LINE_MM = 0.6
TEXT = {"string": "{label}", "color": COLOR, "size": 14, "anchor": "upper_right"}


class RulerLayer:
    """Lines and paths of three points in one viewer; lengths are those of the viewer's world.

    A line that crosses planes is drawn on each of them that it crosses, as it is seen from above;
    its length stays that through the patient.

    Parameters
    ----------
    viewer
        Where they are drawn.
    volume
        The image; lines are cut into the slices that the viewer shows of it.
    on_changed
        Called when a line was drawn, changed or removed.
    """

    def __init__(self, viewer: Viewer, volume: Volume, on_changed: Callable[[], None]) -> None:
        self.viewer = viewer
        self.volume = volume
        self.grid = display_grid(volume.grid)
        self._on_changed = on_changed
        self._layer: Shapes | None = None
        self._position: FixedPosition | None = None
        self._deep: dict[str, tuple[FloatArray, FloatArray]] = {}
        self._writing = False
        self._off_slice = linked_views(viewer).off_slice
        self._off_slice.add_source(self._off_slice_items)
        for event in self._events():
            event.connect(self._on_view)

    @property
    def rulers(self) -> tuple[Ruler, ...]:
        """All lines and angles that there are."""
        layer = self._shown()
        if layer is None:
            return ()
        names = list(layer.features["name"])
        return tuple(
            self._ruler(str(name), layer, vertices)
            for name, vertices in zip(names, layer.data, strict=False)
        )

    def draw(self, mode: str) -> None:
        """Have the mouse draw in one of napari's modes: ``add_line`` or ``add_polyline``."""
        layer = self.ready()
        self.viewer.layers.selection.active = layer
        layer.mode = mode

    def add(self, name: str, points_mm: Any) -> None:
        """Draw a line or angle through places ``(N, 3)``, ``(S, P, L)``."""
        layer = self.ready()
        points = self.grid.to_index(np.asarray(points_mm, float))
        seen = self._seen(points)
        if not np.allclose(seen, points):
            self._deep[name] = points, seen
        layer.feature_defaults = {"name": name, "label": ""}
        layer.add([seen], shape_type="line" if len(points) == 2 else "path", **self._looks)
        layer.feature_defaults = {"name": "", "label": ""}

    def forget(self, name: str) -> None:
        """Take the lines of a name away."""
        layer = self._shown()
        self._deep.pop(name, None)
        if layer is not None:
            layer.selected_data = {k for k, n in enumerate(layer.features["name"]) if n == name}
            layer.remove_selected()

    def ready(self) -> Shapes:
        """The layer, made if it is not there."""
        layer = self._shown()
        return self._make() if layer is None else layer

    def close(self) -> None:
        """Take the layer away."""
        self._off_slice.remove_source(self._off_slice_items)
        for event in self._events():
            event.disconnect(self._on_view)
        layer = self._shown()
        if layer is not None:
            self.viewer.layers.remove(layer)

    def _off_slice_items(self) -> Iterator[OffSliceItem]:
        """The lines, unless they are hidden; in side views too."""
        layer = self._shown()
        if layer is not None and layer.visible and len(layer.features) == layer.nshapes:
            for ruler in self.rulers:
                yield OffSliceItem(ruler.points_mm, Outline.PATH, COLOR)

    def _note_off_slice(self, _: object = None) -> None:
        self._off_slice.note_change(self._off_slice_items)

    def _events(self) -> tuple[Any, ...]:
        """Events that mean another view."""
        dims = self.viewer.dims.events
        return dims.point, dims.order, dims.ndisplay

    def _on_view(self, _: Any) -> None:
        """Draw the lines that cross planes on the one that is now in view."""
        layer = self._shown()
        if layer is None or not self._deep:
            return
        vertices = [np.asarray(v) for v in layer.data]
        changed = False
        for row, name in enumerate(list(layer.features["name"])):
            points = self._complete(str(name), vertices[row])
            seen = vertices[row] if points is None else self._seen(points)
            if points is not None and not np.allclose(seen, vertices[row]):
                self._deep[str(name)] = points, seen
                vertices[row], changed = seen, True
        if changed:
            self._writing = True
            try:
                layer.data = vertices
            finally:
                self._writing = False

    def _seen(self, points: FloatArray) -> FloatArray:
        """Places in indices as they are drawn: on the plane in view if they reach from side to
        side of it; on a plane of their own, where they are not seen, if they do not.
        """
        if self.viewer.dims.ndisplay == 3:
            return points
        axis = axis_across(self.viewer)
        low, high = points[:, axis].min(), points[:, axis].max()
        here = self.grid.to_index(position_in_view(self.viewer))[axis]
        seen = points.copy()
        seen[:, axis] = np.clip(np.round(here), np.round(low), np.round(high))
        return seen

    def _complete(self, name: str, vertices: Any) -> FloatArray | None:
        """The places of a line that crosses planes, unless a person has moved it since."""
        points, seen = self._deep.get(name, (None, None))
        if points is None or seen is None or np.shape(vertices) != seen.shape:
            return None
        return points if np.allclose(vertices, seen) else None

    def _ruler(self, name: str, layer: Shapes, vertices: Any) -> Ruler:
        """The line of a shape; in pixels where the image does not state its size along it."""
        points = self._places(name, layer, vertices)
        in_mm = self.volume.spacing_is_known
        if not in_mm and self.volume.pixel_size_is_known:
            in_mm = bool(np.ptp(self.volume.grid.to_index(points)[:, 0]) < 0.5)
        return Ruler(name, points, in_mm)

    def _places(self, name: str, layer: Shapes, vertices: Any) -> FloatArray:
        """``(N, 3)``: where a line is, in patient millimetres."""
        points = self._complete(name, vertices)
        return self._world(layer, vertices if points is None else points)

    def _shown(self) -> Shapes | None:
        return (
            self._layer if self._layer is not None and self._layer in self.viewer.layers else None
        )

    def _make(self) -> Shapes:
        from napari.layers import Shapes

        layer = Shapes(
            ndim=3,
            name="Distances and angles",
            **transform_of(self.grid),
            features={"name": np.zeros(0, object), "label": np.zeros(0, object)},
            text=TEXT,
            opacity=1.0,
            **self._looks,
        )
        layer.metadata[KEY] = {"role": "rulers"}
        layer.feature_defaults = {"name": "", "label": ""}
        layer.current_edge_color = COLOR
        layer.current_edge_width = self._looks["edge_width"]
        layer.events.data.connect(lambda _: self._write())
        layer.events.visible.connect(self._note_off_slice)
        layer.mouse_drag_callbacks.append(self._follow)
        layer.mouse_move_callbacks.append(lambda *_: self._write())
        self.viewer.add_layer(layer)
        self._position = FixedPosition(layer, lambda: None)  # as the image
        self._layer = layer
        return layer

    @property
    def _looks(self) -> dict[str, Any]:
        width = LINE_MM / min(self.grid.spacing)
        return {"edge_color": COLOR, "edge_width": width, "face_color": "transparent"}

    def _follow(self, _: Shapes, event: Any) -> Iterator[None]:
        """Show the length while the mouse draws."""
        yield
        while event.type == "mouse_move":
            self._write()
            yield
        self._write()

    def _write(self) -> None:
        """Name the lines that are new, and say at each how long it is."""
        layer = self._shown()
        if layer is None or self._writing or len(layer.features) != layer.nshapes:
            return
        self._writing = True
        try:
            names = _named(list(layer.features["name"]), list(layer.shape_type))
            labels = [
                self._ruler(name, layer, vertices).text
                for name, vertices in zip(names, layer.data, strict=True)
            ]
            before = list(layer.features["name"]), list(layer.features["label"])
            if (names, labels) == before:
                return
            layer.features = {"name": names, "label": labels}
            layer.feature_defaults = {"name": "", "label": ""}
            layer.refresh(thumbnail=False, extent=False)
        finally:
            self._writing = False
        self._note_off_slice()
        self._on_changed()

    @staticmethod
    def _world(layer: Shapes, vertices: Any) -> FloatArray:
        places: FloatArray = np.array(
            [layer.data_to_world(vertex) for vertex in np.asarray(vertices)]
        )
        moved = np.any(np.diff(places, axis=0), axis=1)  # a path under the mouse ends twice
        distinct: FloatArray = places[np.concatenate([[True], moved])]
        return distinct


def _named(names: list[Any], kinds: list[str]) -> list[str]:
    """The names, with the next free one for each that has none."""
    texts = [str(name) if isinstance(name, str) else "" for name in names]
    for row, kind in enumerate(kinds):
        if not texts[row]:
            what = "Distance" if str(kind) == "line" else "Angle"
            taken = set(texts)
            free = (f"{what} {n}" for n in range(1, len(texts) + 2))
            texts[row] = next(name for name in free if name not in taken)
    return texts
