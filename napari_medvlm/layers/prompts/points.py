"""Point prompts as a Points layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.colors import NEGATIVE, PENDING, POSITIVE
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import Reslice, displayed
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Point
from napari_medvlm.layers.display.screen_size import ScreenSize
from napari_medvlm.layers.display.slab import SlabView
from napari_medvlm.layers.object_picking import CLICK_PX, LEFT_BUTTON, PICK_KEY
from napari_medvlm.layers.prompts.base import FILLED, HOLLOW, PromptLayer, new_rows
from napari_medvlm.layers.views.linked import linked_views

if TYPE_CHECKING:
    from napari.layers import Points

RIGHT_BUTTON = 2
"""As napari numbers the buttons of the mouse."""


class PointsLayer(PromptLayer[Point]):
    """Points as rings of one size on the screen: green ones are positive, red ones negative.

    A pending one is filled and its ring is orange.
    """

    role: ClassVar[str] = "points"
    name: ClassVar[str] = "Points (green: positive, red: negative)"
    kinds: ClassVar[tuple[type[Any], ...]] = (Point,)

    is_object_per_point: bool = False
    """Whether each positive point begins an object of its own."""
    slab: SlabView | None = None
    """The slab of the image, in which a click lies on the brightest or darkest voxel."""
    _displayed: NDArray[Any] | Reslice | None = None
    """The image on the display grid, from the first click in a slab on."""
    _drawn: frozenset[int] = frozenset()
    """Ids of the prompts that the layer shows, which the user can delete there."""

    def _make(self) -> Points:
        from napari.layers import Points

        layer = Points(
            ndim=3,
            name=self.name,
            affine=self.grid.affine,
            features={"prompt": np.zeros(0, int), "positive": np.zeros(0, bool)},
            border_width=0.2,
        )
        self._screen_size = ScreenSize(self.viewer, layer)
        layer.events.mode.connect(lambda _: self._on_mode(layer))
        layer.events.data.connect(self._on_data)
        layer.events.set_data.connect(lambda _: self._on_drawn(layer))
        return layer

    def _on_mode(self, layer: Points) -> None:
        """Handle clicks in place of napari's last callback while the layer is in mode "add"."""
        callbacks: list[Any] = layer.mouse_drag_callbacks
        if str(layer.mode) == "add":
            callbacks[-1] = self._on_press
        elif self._on_press in callbacks:
            callbacks.remove(self._on_press)

    def _on_press(self, layer: Points, event: Any) -> Iterator[None]:
        """Add a point where the mouse is pressed, unless it is dragged before the release.

        A right click adds a negative point; the middle button is the camera's.
        """
        start, button = event.pos, event.button
        if button not in (LEFT_BUTTON, RIGHT_BUTTON) or PICK_KEY in event.modifiers:
            return
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(start - event.pos) < CLICK_PX:
                event.handled = True  # the camera must not move
            yield
        if np.linalg.norm(start - event.pos) < CLICK_PX:
            positive = self.positive and button == LEFT_BUTTON
            self._add_points(layer.world_to_data(event.position), positive)

    def _add_points(self, coords: ArrayLike, positive: bool) -> None:
        """Add points in layer coordinates to the session; `pull` draws them.

        Drawing waits until the model has started, so that it does not delay the mask.
        """
        if self.viewer.dims.ndisplay == 3:
            self._on_error(_no_depth())
            return
        for spl in self.grid.to_world(self._in_slab(np.atleast_2d(coords))).round(6):
            point = Point(position_mm=tuple(spl), positive=positive)
            linked_views(self.viewer).note_click(point.position_mm)
            self._try(partial(self._add, point))

    def _add(self, point: Point) -> None:
        if self.is_object_per_point and point.positive:
            self.session.add_objects([point])
        else:
            self.session.add(point)

    def _in_slab(self, clicked: FloatArray) -> FloatArray:
        """Layer coordinates ``(n, 3)`` of clicks, moved across the slab that is shown, if any."""
        if self.slab is None or not self.slab.is_projected:
            return clicked
        if self._displayed is None:
            volume = self.session.volume
            self._displayed = displayed(volume.data, volume.grid, order=1)
        data = self._displayed
        return np.array([self.slab.clicked_index(i, data, self.grid) for i in clicked])

    def _on_data(self, event: object) -> None:
        if getattr(event, "action", None) in ("added", "changed", "removed"):
            self._edited()

    def _on_drawn(self, layer: Points) -> None:
        """Add pasted points as prompts; napari emits no data event for a paste."""
        if len(layer.data) > len(self._drawn):
            self._edited()

    def _push(self) -> None:
        layer: Points = self._layer
        known = self.mine()
        ids = layer.features["prompt"].to_numpy(int)
        positive_rows = layer.features["positive"].to_numpy(bool)
        world = self.grid.to_world(layer.data)
        gone = (self._drawn & known.keys()) - set(ids.tolist())
        if gone:
            self.session.remove(*sorted(gone))
        new = new_rows(ids.tolist(), known, self._drawn)
        moved = {
            int(i): Point(
                position_mm=tuple(spl.round(6)),
                positive=positive,
                size_step=known[int(i)].size_step,
            )
            for row, (i, spl, positive) in enumerate(
                zip(ids, world, positive_rows.tolist(), strict=True)
            )
            if i in known
            and row not in new
            and not np.allclose(spl, known[i].position_mm, atol=1e-4)
        }
        if moved:
            self.session.change(moved)
        for row in new:
            positive = bool(positive_rows[row]) if ids[row] else self.positive
            point = Point(position_mm=tuple(world[row].round(6)), positive=positive)
            layer.features.at[row, "positive"] = positive
            layer.features.at[row, "prompt"] = prompt_id = self.session.ledger.next_prompt_id()
            self._drawn |= {prompt_id}
            self._add(point)

    def _show(self, prompts: Mapping[int, Point], pending: frozenset[int]) -> None:
        layer: Points = self._layer
        self._drawn = frozenset(prompts)
        ids = np.array(list(prompts), int)
        positive = np.array([p.positive for p in prompts.values()], bool)
        world = np.array([p.position_mm for p in prompts.values()]).reshape(-1, 3)
        data = self.grid.to_index(world)
        faces, borders = _colors(positive, np.array([i in pending for i in prompts], bool))
        is_other = not np.array_equal(layer.features["prompt"].to_numpy(int), ids)
        is_moved = not is_other and not np.allclose(layer.data, data, atol=1e-4)
        # Do not redraw the layer list with each click, only when its mask arrives.
        waiting = is_other and len(ids) > len(layer.data) and bool(pending)
        with layer.events.blocker() if waiting else layer.events.set_data.blocker():
            if is_other:
                self._resize(layer, data, faces[-1:], borders[-1:])
                layer.features["prompt"], layer.features["positive"] = ids, positive
                layer.events.features()
            elif is_moved:
                layer.data = data
            painted = [
                _paint(layer, "face_color", faces), _paint(layer, "border_color", borders)
            ]  # fmt: skip
        if is_other or is_moved or any(painted):
            layer.refresh(extent=False, thumbnail=not waiting)

    def _resize(
        self, layer: Points, data: FloatArray, face: FloatArray, border: FloatArray
    ) -> None:
        """Set the points' positions; new points get the colours of the last one at once."""
        selected = layer.selected_data
        layer.selected_data = set()  # else the next lines would change the selected points
        if len(face):
            layer.current_face_color, layer.current_border_color = face[0], border[0]
        with layer.events.data.blocker():  # napari would measure all layers, twice
            layer.data = data
        layer.selected_data = {i for i in selected if i < len(data)}


def _no_depth() -> InvalidPrompt:
    return InvalidPrompt(
        "A click in the 3D view has no depth.",
        "Switch to the axial, coronal or sagittal view and click there.",
    )


def _colors(
    positive: NDArray[np.bool_], pending: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Colours ``(n, 4)`` of the faces and of the borders of points."""
    from napari.utils.colormaps.standardize_color import transform_color

    colors = [color + face for face in (HOLLOW, FILLED) for color in (NEGATIVE, POSITIVE)]
    faces: FloatArray = transform_color(colors)[2 * pending + positive]
    borders = transform_color([NEGATIVE, POSITIVE, PENDING])
    return faces, borders[np.where(pending, 2, positive)]


def _paint(layer: Points, what: str, colors: FloatArray) -> bool:
    """Set the points' colours if they differ, without drawing them; whether they do."""
    current = getattr(layer, what)
    is_same = colors.shape == current.shape and np.allclose(colors, current, atol=1e-3)
    if not is_same:
        with getattr(layer.events, what).blocker():  # which draws all points
            setattr(layer, what, colors)
    return not is_same
