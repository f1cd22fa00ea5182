"""Boxes of regions as a Shapes layer, with callouts as a Points layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.region import Region
from napari_medvlm.layers.box_shapes import IndexBox, Vertices, ViewPlane, transform_of
from napari_medvlm.layers.display.insertions import Insertions
from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.layers.orientation import position_in_view

if TYPE_CHECKING:
    from napari.layers import Points, Shapes

LINE_MM, CHOSEN_MM = 0.8, 2.0
"""Width of a box's lines, and of those of the box that is chosen."""
LONGEST = 26
"""A longer phrase is cut where it stands at its box."""
FEW = 4
"""Up to so many boxes in view have their phrases next to them."""
MANY = 20
"""Of more boxes only those that the plane in view crosses are drawn, and those that are chosen."""
CALLOUT_PX = 24
"""Width of a callout's disc on the screen."""


@dataclass(frozen=True, eq=False)
class DisplayedRegion:
    """A region as it is to be shown: its number in the table, its colour, and who found it."""

    key: int
    region: Region
    color: str
    backend: str

    @property
    def label(self) -> str:
        """What stands at the box."""
        phrase, score = self.region.phrase, self.region.score
        phrase = phrase if len(phrase) <= LONGEST else phrase[: LONGEST - 1].rstrip() + "…"
        return phrase if score is None else f"{phrase} {score:.2f}"

    @property
    def callout(self) -> str:
        """What stands in a disc at its upper left corner, at any zoom; empty: there is none."""
        return ""


class RegionBoxes:
    """The boxes and callouts of regions in a `LayerSet`, redrawn when the view changes.

    Parameters
    ----------
    layers
        The layers to draw into, under the roles ``boxes`` and ``callouts``.
    title
        Prefix of the layers' names.
    on_chosen
        Called with the key of the region whose box or callout the user selects.
    """

    def __init__(self, layers: LayerSet, title: str, on_chosen: Callable[[int], None]) -> None:
        self.viewer = layers.viewer
        self.title = title
        self.grid = _forward(display_grid(layers.volume.grid))
        self._layers = layers
        self._on_chosen = on_chosen
        self._all: dict[DisplayedRegion, IndexBox] = {}
        self._shown: list[DisplayedRegion] = []
        self._chosen: frozenset[int | None] = frozenset()
        self._drawing = False
        self._seen: tuple[object, ...] = ()
        self._insertions = Insertions(self.viewer.layers, self._on_view)
        for event in self._events():
            event.connect(self._on_view)

    def show(self, shown: Sequence[DisplayedRegion]) -> None:
        """Show the boxes of these regions and no others."""
        self._all = {displayed: IndexBox.of(displayed.region.box, self.grid) for displayed in shown}
        self._show_boxes()

    def choose(self, *keys: int | None) -> None:
        """Draw the boxes of some regions thicker than the others."""
        self._chosen = frozenset(keys)
        self._show_boxes()

    def close(self) -> None:
        """Stop following the view."""
        self._insertions.close()
        for event in self._events():
            event.disconnect(self._on_view)

    def _events(self) -> tuple[Any, ...]:
        """The viewer's events after which boxes may have to be redrawn."""
        dims = self.viewer.dims.events
        return dims.point, dims.order, dims.ndisplay, self.viewer.scene.camera.events.orientation

    def _show_boxes(self) -> None:
        if not self._all:
            self._layers.remove("boxes")
            self._layers.remove("callouts")
            return
        plane = ViewPlane.of(self.viewer, self.grid)
        self._shown = self._to_draw(plane)
        layer: Any = self._layers.get("boxes") or self._layers.add("boxes", self._new_boxes())
        self._seen = self._view()
        drawn = [self._all[s].drawn(plane) for s in self._shown]
        self._drawing = True
        try:
            layer.selected_data = set()
            layer.data = []
            voxel_mm = min(self.grid.spacing)
            lines_mm = [CHOSEN_MM if s.key in self._chosen else LINE_MM for s in self._shown]
            layer.add(
                [vertices for vertices, _ in drawn],
                shape_type=[kind for _, kind in drawn],
                edge_width=[width / voxel_mm for width in lines_mm],
                edge_color=[s.color for s in self._shown],
                face_color="transparent",
            )
            layer.features = self._features(plane)
            layer.text = {
                "string": "{label}",
                "color": {"array": [s.color for s in self._shown], "default": "white"},
                "anchor": self._anchor(),
                "size": 10,
            }
            self._show_callouts([vertices for vertices, _ in drawn])
        finally:
            self._drawing = False

    def _to_draw(self, plane: ViewPlane) -> list[DisplayedRegion]:
        """The regions whose boxes are in the layer."""
        if len(self._all) <= MANY or plane.ndisplay == 3:
            return list(self._all)
        return [s for s, box in self._all.items() if s.key in self._chosen or box.is_in(plane)]

    def _anchor(self) -> str:
        """The corner that is up and left on the screen; where superior is up, rows run upwards."""
        return (
            "lower_left" if str(self.viewer.scene.camera.orientation2d[0]) == "up" else "upper_left"
        )

    def _labels(self, plane: ViewPlane) -> list[str]:
        """What stands at each box: where many are seen at once, at the one that is chosen only."""
        few = sum(self._all[s].is_in(plane) for s in self._shown) <= FEW and plane.ndisplay == 2
        return [s.label if few or s.key in self._chosen else "" for s in self._shown]

    def _features(self, plane: ViewPlane) -> dict[str, list[Any]]:
        regions = [s.region for s in self._shown]
        return {
            "key": [s.key for s in self._shown],
            "callout": [s.callout for s in self._shown],
            "label": self._labels(plane),
            "phrase": [r.phrase for r in regions],
            "score": [np.nan if r.score is None else r.score for r in regions],
            "model": [s.backend for s in self._shown],
            "uncertainty": [np.nan if r.uncertainty is None else r.uncertainty for r in regions],
        }

    def _new_boxes(self) -> Shapes:
        from napari.layers import Shapes

        layer = Shapes(ndim=3, name=f"{self.title}: boxes", **transform_of(self.grid))
        self._notify_chosen("boxes", layer)
        return layer

    def _notify_chosen(self, role: str, layer: Shapes | Points) -> None:
        layer.selected_data.events.items_changed.connect(lambda _: self._on_selected(role))

    def _on_selected(self, role: str) -> None:
        layer: Any = self._layers.get(role)
        if self._drawing or layer is None or len(layer.selected_data) != 1:
            return
        (row,) = layer.selected_data
        self._on_chosen(int(layer.features["key"].iloc[row]))

    def _show_callouts(self, drawn: Sequence[Vertices]) -> None:
        """Discs with numbers at the corners of boxes, drawn so that they keep their size."""
        with_callout = [
            (s, vertices) for s, vertices in zip(self._shown, drawn, strict=True) if s.callout
        ]
        if not with_callout:
            self._layers.remove("callouts")
            return
        layer: Any = self._layers.get("callouts") or self._layers.add(
            "callouts", self._new_callouts()
        )
        corner = 3 if self._anchor() == "lower_left" else 0
        layer.selected_data = set()
        layer.data = np.array([vertices[corner] for _, vertices in with_callout])
        layer.features = {
            "key": [s.key for s, _ in with_callout],
            "callout": [s.callout for s, _ in with_callout],
        }
        layer.face_color = layer.border_color = [s.color for s, _ in with_callout]
        layer.text = {"string": "{callout}", "color": "black", "anchor": "center", "size": 10}

    def _new_callouts(self) -> Points:
        from napari.layers import Points

        layer = Points(
            ndim=3,
            name=f"{self.title}: numbers",
            affine=self.grid.affine,
            size=CALLOUT_PX,
            border_width=0,
            canvas_size_limits=(CALLOUT_PX, CALLOUT_PX),
            blending="translucent_no_depth",
        )
        self._notify_chosen("callouts", layer)
        return layer

    def _on_view(self, _: Any = None) -> None:
        is_late = self._drawing or self._insertions.is_running
        if is_late or not self._all or self._layers.get("boxes") is None:
            return  # napari emits a change of range while it draws
        if self._seen != self._view():
            self._show_boxes()

    def _view(self) -> tuple[object, ...]:
        """What of the view decides how boxes are drawn."""
        dims = self.viewer.dims
        index = np.round(self.grid.to_index(position_in_view(self.viewer))).astype(int)
        return (dims.ndisplay, tuple(dims.order), tuple(index.tolist()), self._anchor())


def _forward(grid: Grid) -> Grid:
    """The same voxels counted towards superior, posterior and left: text then runs from a box's
    left edge whichever way the image was stored.
    """
    steps = np.diag(grid.affine)[:3]
    last = np.array(grid.shape) - 1
    affine = np.diag([*np.abs(steps), 1.0])
    affine[:3, 3] = grid.affine[:3, 3] + np.where(steps < 0, steps * last, 0)
    return Grid(grid.shape, affine)
