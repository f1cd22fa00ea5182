"""Point prompts as a Points layer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Point
from napari_medvlm.layers.prompts.base import NEGATIVE, PENDING, POSITIVE, PromptLayer, new_rows

if TYPE_CHECKING:
    from napari.layers import Points

SIZE_MM = 5.0


class PointsLayer(PromptLayer[Point]):
    """Points: green ones say *this*, red ones *not this*; orange rings are not yet answered."""

    role: ClassVar[str] = "points"
    name: ClassVar[str] = "Points (green: positive, red: negative)"
    kinds: ClassVar[tuple[type[Any], ...]] = (Point,)

    _drawn: frozenset[int] = frozenset()
    """The prompts that a person sees in the layer, and so can take away."""

    def _make(self) -> Points:
        from napari.layers import Points

        layer = Points(
            ndim=3,
            name=self.name,
            affine=self.grid.affine,
            size=SIZE_MM / min(self.grid.spacing),
            features={"prompt": np.zeros(0, int), "positive": np.zeros(0, bool)},
            border_width=0.2,
        )
        layer.add = self._say  # what a click calls in napari's own mode
        layer.events.data.connect(self._on_data)
        layer.events.set_data.connect(lambda _: self._on_drawn(layer))
        return layer

    def _say(self, coords: ArrayLike) -> None:
        """Tell the session of points of the layer; `pull` draws them, when the model has begun."""
        if self.viewer.dims.ndisplay == 3:
            self._on_error(_no_depth())
            return
        for spl in self.grid.to_world(np.atleast_2d(coords)).round(6):
            point = Point(position_mm=tuple(spl), positive=self.positive)
            self._try(partial(self.session.add, point))

    def _on_data(self, event: object) -> None:
        if getattr(event, "action", None) in ("added", "changed", "removed"):
            self._edited()

    def _on_drawn(self, layer: Points) -> None:
        """Take points that were pasted, of which napari tells in no other way."""
        if len(layer.data) > len(self._drawn):
            self._edited()

    def _push(self) -> None:
        layer: Points = self._layer
        known = self.mine()
        ids = layer.features["prompt"].to_numpy(int)
        said = layer.features["positive"].to_numpy(bool)
        world = self.grid.to_world(layer.data)
        gone = (self._drawn & known.keys()) - set(ids.tolist())
        if gone:
            self.session.remove(*sorted(gone))
        new = new_rows(ids.tolist(), known, self._drawn)
        moved = {
            int(i): Point(position_mm=tuple(spl.round(6)), positive=positive)
            for row, (i, spl, positive) in enumerate(zip(ids, world, said.tolist(), strict=True))
            if i in known
            and row not in new
            and not np.allclose(spl, known[i].position_mm, atol=1e-4)
        }
        if moved:
            self.session.change(moved)
        for row in new:
            positive = bool(said[row]) if ids[row] else self.positive
            point = Point(position_mm=tuple(world[row].round(6)), positive=positive)
            layer.features.at[row, "positive"] = positive
            layer.features.at[row, "prompt"] = said_id = self.session.ledger.next_prompt_id()
            self._drawn |= {said_id}
            self.session.add(point)

    def _show(self, prompts: Mapping[int, Point], pending: frozenset[int]) -> None:
        layer: Points = self._layer
        self._drawn = frozenset(prompts)
        ids = np.array(list(prompts), int)
        said = np.array([p.positive for p in prompts.values()], bool)
        world = np.array([p.position_mm for p in prompts.values()]).reshape(-1, 3)
        data = self.grid.to_index(world)
        faces = [POSITIVE if s else NEGATIVE for s in said]
        borders = [PENDING if i in pending else "white" for i in ids]
        if not np.array_equal(layer.features["prompt"].to_numpy(int), ids):
            waiting = len(ids) > len(layer.data) and bool(pending)
            # The list of layers is not drawn with each click: it is when the click is answered.
            with layer.events.blocker() if waiting else nullcontext():
                self._resize(layer, data, faces[-1:], borders[-1:])
                layer.features["prompt"], layer.features["positive"] = ids, said
                layer.events.features()
        elif not np.allclose(layer.data, data, atol=1e-4):
            layer.data = data
        _paint(layer, "face_color", faces)
        _paint(layer, "border_color", borders)

    def _resize(self, layer: Points, data: FloatArray, face: list[str], border: list[str]) -> None:
        """Have as many points as there are, new ones right away as the last of them looks."""
        selected = layer.selected_data
        layer.selected_data = set()  # else the next lines would change the selected points
        layer.current_size = SIZE_MM / min(self.grid.spacing)
        if face:
            layer.current_face_color, layer.current_border_color = face[0], border[0]
        with layer.events.data.blocker():  # napari would measure all layers, twice
            layer.data = data
        layer.selected_data = {i for i in selected if i < len(data)}


def _no_depth() -> InvalidPrompt:
    return InvalidPrompt(
        "A click in the 3D view has no depth.",
        "Switch to the axial, coronal or sagittal view and click there.",
    )


def _paint(layer: Points, what: str, colors: list[str]) -> None:
    """Set the points' colours where they differ: each setting draws the whole layer anew."""
    from napari.utils.colormaps.standardize_color import transform_color

    if not colors:
        return
    wanted, now = transform_color(colors), getattr(layer, what)
    if wanted.shape != now.shape or not np.allclose(wanted, now, atol=1e-3):
        setattr(layer, what, wanted)
