"""Box, lasso and line prompts as a Shapes layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from napari_medvlm.data.colors import NEGATIVE, PENDING, POSITIVE
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.prompts import Box, Lasso, Line
from napari_medvlm.layers.box_shapes import Vertices, draw_box, transform_of
from napari_medvlm.layers.object_picking import CLICK_PX
from napari_medvlm.layers.orientation import axis_across, go_to, position_in_view
from napari_medvlm.layers.prompts.base import PromptLayer, new_rows
from napari_medvlm.layers.prompts.slice_event import EventOnSlice

if TYPE_CHECKING:
    from napari.layers import Shapes

Drawn: TypeAlias = Box | Lasso | Line
"""A prompt that is drawn as a shape."""

BETWEEN_SLICES = 1e-3
"""Voxels from a slice within which the view lies on it."""


class ShapesLayer(PromptLayer[Drawn]):
    """Boxes, lassos and lines.

    A box with depth is shown as a rectangle on every plane that it spans.
    """

    role: ClassVar[str] = "shapes"
    name: ClassVar[str] = "Boxes, lassos and lines"
    kinds: ClassVar[tuple[type[Any], ...]] = (Box, Lasso, Line)

    depth_mm: float = 0.0
    """How deep new boxes are, centred on their plane; 0: that slice alone."""
    _is_busy: bool = False
    """Whether the person is drawing or dragging a shape, which showing others would break off."""
    _napari_drag: Callable[..., Iterator[None] | None]
    """napari's callback of the mode that shapes are drawn in."""
    _is_late: bool = False
    """Whether something was not shown because of that."""

    def set_polarity(self, positive: bool) -> None:
        """Choose what the next shapes say."""
        super().set_polarity(positive)
        if self._layer is not None and not self._is_busy:
            self._prepare_next(self._layer)

    def finish_drawing(self) -> bool:
        """End a polygon that is being drawn, as napari's Enter does; whether there was any."""
        if not self._is_there or not self._is_busy:
            return False
        mode = self._layer.mode
        self._layer.mode = "select"  # napari finishes what is drawn when the mode changes
        self._layer.mode = mode
        return True

    def follow_view(self) -> None:
        """Show boxes with depth on the plane that is now in view."""
        if any(isinstance(p, Box) and not p.is_flat(self.grid) for p in self.mine().values()):
            self.pull()

    def _make(self) -> Shapes:
        from napari.layers import Shapes

        layer = Shapes(
            ndim=3,
            name=self.name,
            **transform_of(self.grid),
            features={"prompt": np.zeros(0, int), "positive": np.zeros(0, bool)},
            edge_width=self._edge_width,
            face_color="transparent",
        )
        self._drawn: dict[int, Vertices] = {}
        self._is_busy = self._is_late = False
        layer.events.data.connect(self._on_data)
        layer.events.features.connect(lambda _: self._on_features(layer))
        layer.events.mode.connect(lambda _: self._on_mode(layer))
        return layer

    def _on_mode(self, layer: Shapes) -> None:
        """Put `_on_drag` in the place of napari's callback while shapes are drawn."""
        callbacks: list[Any] = layer.mouse_drag_callbacks
        if self._on_drag in callbacks:
            callbacks.remove(self._on_drag)
        if str(layer.mode).startswith("add"):
            self._napari_drag = callbacks[-1]
            callbacks[-1] = self._on_drag
        self._prepare_next(layer)

    def _on_drag(self, layer: Shapes, event: Any) -> Iterator[None]:
        """Draw on the slice that is nearest: napari draws on none between two slices."""
        axis, dims = axis_across(self.viewer), self.viewer.dims
        index = self.grid.to_index(position_in_view(self.viewer))
        nearest = np.array(index)
        nearest[axis] = np.round(index[axis])
        position = None
        if dims.ndisplay == 2 and abs(nearest[axis] - index[axis]) > BETWEEN_SLICES:
            go_to(self.viewer, self.grid.to_world(nearest).tolist())
            position = axis + dims.ndim - 3, float(dims.point[axis + dims.ndim - 3])
        steps = self._napari_drag(layer, EventOnSlice(event, position))
        start = np.array(event.pos)
        if steps is not None:
            yield from steps
        is_click = np.linalg.norm(start - np.array(event.pos)) < CLICK_PX
        if str(layer.mode) == "add_polygon_lasso" and is_click and self._is_busy:
            with self._pulled():
                self.finish_drawing()
            self._is_busy = False
            self.pull()
            self._on_error(
                InvalidPrompt(
                    "A click draws no lasso.", "Hold the mouse button and draw around the object."
                )
            )

    @property
    def _edge_width(self) -> float:
        return self._seen_mm(1.0, 1 / 300, 1 / 70) / min(self.grid.spacing)

    def _prepare_next(self, layer: Shapes) -> None:
        """Have napari draw the next shape right away as what it will be."""
        if not str(layer.mode).startswith("add"):
            return
        with self._pulled():
            layer.selected_data = set()  # else these would change the selected shapes
            layer.feature_defaults = {"prompt": 0, "positive": self.positive}
            layer.current_edge_color = POSITIVE if self.positive else NEGATIVE
            layer.current_face_color = "transparent"
            layer.current_edge_width = self._edge_width

    def _on_data(self, event: object) -> None:
        if self._pulling:
            return
        action = getattr(event, "action", None)
        self._is_busy = action in ("adding", "changing")
        if action in ("added", "changed", "removed"):
            self._edited()
            if self._is_late:
                self._is_late = False
                self.session.changed.emit(None)

    def _on_features(self, layer: Shapes) -> None:
        """Take shapes that were pasted, for which napari emits no other event."""
        if layer.nshapes > len(self._drawn) and not self._is_busy:
            self._edited()

    def _push(self) -> None:
        layer: Shapes = self._layer
        known, drawn = self.mine(), self._drawn
        rows = zip(layer.features["prompt"], layer.features["positive"], strict=True)
        rows_shown = [(int(i), bool(positive)) for i, positive in rows][: layer.nshapes]
        gone = (drawn.keys() & known.keys()) - {i for i, _ in rows_shown}
        if gone:
            self.session.remove(*sorted(gone))
        fresh = new_rows([i for i, _ in rows_shown], known, drawn)
        changed, new = {}, []
        for row, (i, positive) in enumerate(rows_shown):
            vertices, kind = np.asarray(layer.data[row]), str(layer.shape_type[row])
            if row in fresh:
                says = positive if i else self.positive
                new.append((row, self._read(vertices, kind, says, None)))
            elif i in known and (i not in drawn or not _close(vertices, drawn[i])):
                changed[i] = self._read(vertices, kind, positive, known[i])
        if changed:
            self.session.change(changed)
        for row, prompt in new:
            layer.features.loc[row, "prompt"] = prompt_id = self.session.ledger.next_prompt_id()
            drawn[prompt_id] = np.asarray(layer.data[row])
            self.session.add(prompt)

    def _read(self, vertices: Vertices, kind: str, positive: bool, old: Drawn | None) -> Drawn:
        """The prompt of a shape; ``old`` is the one that it was before it was edited."""
        if kind == "path":
            raise InvalidPrompt(
                "A path cannot be used as a prompt.",
                "Draw a rectangle, polygon, lasso or line, or use a scribble.",
            )
        across = int(np.argmin(np.ptp(vertices, axis=0)))
        if kind == "line" and self.viewer.dims.ndisplay == 2:
            across = axis_across(self.viewer)
        vertices = vertices.copy()
        vertices[:, across] = np.round(vertices[:, across])  # the slice that is nearest
        if kind == "rectangle":
            return self._box(vertices, positive, old)
        if kind == "line":
            return Line.at_index(self.grid, vertices[0], vertices[1], positive)
        outline = _ellipse(vertices) if kind == "ellipse" else vertices
        return Lasso.at_index(self.grid, outline, positive)

    def _box(self, vertices: Vertices, positive: bool, old: Drawn | None) -> Box:
        axis = int(np.argmin(np.ptp(vertices, axis=0)))
        depth = max(self.depth_mm / self.grid.spacing[axis], 1.0)
        start = vertices.min(axis=0) + 0.5
        stop = vertices.max(axis=0) + 0.5
        start[axis], stop[axis] = start[axis] - depth / 2, start[axis] + depth / 2
        if isinstance(old, Box):
            before = old.bounds(self.grid)
            if before[0][axis] <= vertices[0, axis] < before[1][axis]:
                start[axis], stop[axis] = before[0][axis], before[1][axis]
        if np.min(stop - start) < 0.5:
            raise InvalidPrompt(
                "The box is empty.", "Press, drag to the opposite corner and release."
            )
        return Box.at_index(self.grid, start, stop, positive)

    def _show(self, prompts: Mapping[int, Drawn], pending: frozenset[int]) -> None:
        layer: Shapes = self._layer
        self._is_late = self._is_busy
        if self._is_busy:
            return
        shapes = {i: self._draw(prompt) for i, prompt in prompts.items()}
        same = list(layer.features["prompt"]) == list(shapes) and all(
            _close(np.asarray(old), new)
            for old, (new, _) in zip(layer.data, shapes.values(), strict=False)
        )
        if not same or layer.nshapes != len(shapes):
            layer.selected_data = set()
            layer.data = []
            for vertices, kind in shapes.values():
                layer.add(vertices, shape_type=kind, edge_width=self._edge_width)
            rows_shown = np.array([p.positive for p in prompts.values()], bool)
            layer.features = {"prompt": np.array(list(prompts), int), "positive": rows_shown}
        self._drawn = {i: vertices for i, (vertices, _) in shapes.items()}
        if shapes:
            layer.edge_color = [
                PENDING if i in pending else POSITIVE if p.positive else NEGATIVE
                for i, p in prompts.items()
            ]
            layer.face_color = [
                (0, 0, 0, 0) if p.positive else (1, 0.3, 0.3, 0.15) for p in prompts.values()
            ]
        self._prepare_next(layer)

    def _draw(self, prompt: Drawn) -> tuple[Vertices, str]:
        if isinstance(prompt, Lasso):
            return self.grid.to_index(np.reshape(prompt.vertices_mm, (-1, 3))), "polygon"
        if isinstance(prompt, Line):
            return self.grid.to_index(prompt.ends_mm), "line"
        return draw_box(prompt, self.grid, self.viewer)


def _close(a: Vertices, b: Vertices) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, atol=1e-3))


def _ellipse(corners: Vertices) -> Vertices:
    """Points on the ellipse inside four corners."""
    center = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    result: Vertices = center + np.cos(angle) * across + np.sin(angle) * down
    return result
