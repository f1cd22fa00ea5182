"""Point prompts as a Points layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import MedVLMError
from napari_medvlm.layers.prompts import NEGATIVE, PENDING, POSITIVE, PromptLayer
from napari_medvlm.prompts import Point

if TYPE_CHECKING:
    from napari.layers import Points

SIZE_MM = 5.0
CLICK_PIXELS = 5
"""How far the mouse may move in a click; napari's own limit."""


class PointsLayer(PromptLayer[Point]):
    """Points: green ones say *this*, red ones *not this*; orange rings are not yet answered."""

    role: ClassVar[str] = "points"
    name: ClassVar[str] = "Points (green: this, red: not this)"
    kinds: ClassVar[tuple[type[Any], ...]] = (Point,)

    _said: int = 0
    """The prompt of a click that napari has not drawn yet; 0: none."""

    def set_polarity(self, positive: bool) -> None:
        """Choose what the next points say."""
        super().set_polarity(positive)
        if self._layer is not None:
            self._prepare_next(self._layer)

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
        layer.mouse_drag_callbacks.append(self._on_drag)  # before those of napari's modes
        layer.events.data.connect(self._on_data)
        layer.events.mode.connect(lambda _: self._prepare_next(layer))
        return layer

    def _prepare_next(self, layer: Points) -> None:
        """Have napari draw the next point right away as what it will be."""
        if str(layer.mode) != "add":
            return
        with self._pulled():
            layer.selected_data = set()  # else these would change the selected points
            layer.feature_defaults = {"prompt": 0, "positive": self.positive}
            layer.current_face_color = POSITIVE if self.positive else NEGATIVE
            layer.current_border_color = PENDING

    def _on_drag(self, layer: Points, event: Any) -> Iterator[None]:
        """Say a click before napari draws it, which takes a while: the model begins meanwhile.

        A point that is refused is said again, and the error told, when it is drawn.
        """
        self._said = 0
        start = event.pos
        yield
        while event.type == "mouse_move":
            yield
        if str(layer.mode) == "add" and np.linalg.norm(start - event.pos) < CLICK_PIXELS:
            spl = self.grid.to_world(layer.world_to_data(event.position)).round(6)
            with suppress(MedVLMError):
                self._said = self.session.add(Point(position_mm=tuple(spl), positive=self.positive))
            self._prepare_next(layer)  # napari has the last point selected, and would copy it

    def _on_data(self, event: object) -> None:
        if getattr(event, "action", None) in ("added", "changed", "removed"):
            self._edited()

    def _push(self) -> None:
        layer: Points = self._layer
        self._name_what_was_said(layer)
        known = self.mine()
        ids = layer.features["prompt"].to_numpy(int)
        said = layer.features["positive"].to_numpy(bool)
        world = self.grid.to_world(layer.data)
        gone = known.keys() - set(ids.tolist())
        if gone:
            self.session.remove(*sorted(gone))
        new = self._new_rows(ids, known)
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
            layer.features.at[row, "prompt"] = self.session.ledger.next_prompt_id()
            layer.features.at[row, "positive"] = positive
            self.session.add(point)

    def _name_what_was_said(self, layer: Points) -> None:
        """Note the prompt of a click in the row that napari has made of it."""
        said, self._said = self._said, 0
        rows = np.flatnonzero(layer.features["prompt"].to_numpy(int) == 0)
        if said and rows.size:
            layer.features.at[int(rows[-1]), "prompt"] = said
            layer.features.at[int(rows[-1]), "positive"] = self.mine()[said].positive

    @staticmethod
    def _new_rows(ids: NDArray[np.int_], known: Mapping[int, Point]) -> list[int]:
        """Rows that are no prompt yet: just clicked, or pasted copies of another row.

        A row of a prompt that is no longer live is neither; the next `pull` takes it away.
        """
        first = {int(i): row for row, i in reversed(list(enumerate(ids)))}
        return [row for row, i in enumerate(ids) if i == 0 or (i in known and first[int(i)] != row)]

    def _show(self, prompts: Mapping[int, Point], pending: frozenset[int]) -> None:
        layer: Points = self._layer
        ids = np.array(list(prompts), int)
        said = np.array([p.positive for p in prompts.values()], bool)
        world = np.array([p.position_mm for p in prompts.values()]).reshape(-1, 3)
        data = self.grid.to_index(world)
        if not np.array_equal(layer.features["prompt"].to_numpy(int), ids):
            selected = layer.selected_data
            layer.selected_data = set()
            layer.data = data
            layer.size = SIZE_MM / min(self.grid.spacing)
            layer.features = {"prompt": ids, "positive": said}
            layer.selected_data = {i for i in selected if i < len(ids)}
        elif not np.allclose(layer.data, data, atol=1e-4):
            layer.data = data
        faces = [POSITIVE if s else NEGATIVE for s in said]
        borders = [PENDING if i in pending else "white" for i in ids]
        _paint(layer, "face_color", faces)
        _paint(layer, "border_color", borders)
        if layer.selected_data:
            self._prepare_next(layer)


def _paint(layer: Points, what: str, colors: list[str]) -> None:
    """Set the points' colours where they differ: each setting draws the whole layer anew."""
    from napari.utils.colormaps.standardize_color import transform_color

    if not colors:
        return
    wanted, now = transform_color(colors), getattr(layer, what)
    if wanted.shape != now.shape or not np.allclose(wanted, now, atol=1e-3):
        setattr(layer, what, wanted)
