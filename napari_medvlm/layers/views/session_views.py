"""The layers of one session in a viewer and in all its side views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.layers.display.redraw_pace import pace
from napari_medvlm.layers.mask_layer import MaskLayer
from napari_medvlm.layers.prompts.base import PromptLayer
from napari_medvlm.layers.prompts.points import PointsLayer
from napari_medvlm.layers.prompts.scribbles import ScribblesLayer
from napari_medvlm.layers.prompts.shapes import ShapesLayer
from napari_medvlm.layers.session_layers import SessionLayers
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice_items import OffSliceItem, PromptItems
from napari_medvlm.layers.views.side_updates import SideUpdates
from napari_medvlm.ledger.append_map import AppendMap
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

MASK_SETTINGS = ("visible", "opacity", "contour", "blending", "brush_size", "n_edit_dimensions")
"""What the layers of masks have in common in all views."""
PENDING_MS = 1000
"""How long side views wait for a mask that is computed, to be drawn once with it."""


class LinkedSessionLayers:
    """The masks and prompts of a session in all views: what is drawn in any is in the session.

    It is used as the `SessionLayers` of the viewer; each side view has `SessionLayers` of its own
    from when it is opened. The viewer is drawn at once, each side view in a later turn of the event
    loop; the one that was clicked last is the first of them, and the others wait for the mask.

    Parameters
    ----------
    viewer, session, on_error, on_removed
        As those of `SessionLayers`.
    """

    def __init__(
        self,
        viewer: Viewer,
        session: SegmentationSession,
        on_error: Callable[[MedVLMError], None],
        on_removed: Callable[[Layer], None],
    ) -> None:
        self.session = session
        self._on_error = on_error
        self._main = SessionLayers(viewer, session, on_error, on_removed)
        self._sides: dict[int, SessionLayers] = {}
        self._updates = SideUpdates(self._update_side)
        self._used: tuple[str | None, str] | None = None
        self._positive = True
        self._hidden: set[int] = set()
        self._watched: Layer | None = None
        self._items = PromptItems()
        self._linked = linked_views(viewer)
        self._linked.added.connect(self._add)
        self._linked.removed.connect(self._remove)
        self._linked.off_slice.add_source(self._off_slice_items)
        for side in self._linked.sides:
            self._add(side)

    @property
    def mask(self) -> MaskLayer:
        """The masks in the viewer."""
        return self._main.mask

    @property
    def points(self) -> PointsLayer:
        """The point prompts in the viewer."""
        return self._main.points

    @property
    def shapes(self) -> ShapesLayer:
        """The boxes and lassos in the viewer."""
        return self._main.shapes

    @property
    def scribbles(self) -> ScribblesLayer:
        """The scribbles in the viewer."""
        return self._main.scribbles

    @property
    def is_due(self) -> bool:
        """Whether a side view is still to be drawn."""
        return self._updates.is_due

    def redraw(self) -> None:
        """Show the label map, whose voxels changed."""
        self._main.redraw()
        pace.note_change()
        self._watch_mask()
        self._updates.request(redrawn=True)

    def pull(self) -> None:
        """Show the objects' names and colours, and the prompts, as the session has them."""
        self._main.pull()
        self._pull_others()

    def pull_points(self) -> None:
        """Show the point prompts as the session has them."""
        self._main.points.pull()
        self._pull_others()

    def _pull_others(self) -> None:
        self._linked.off_slice.note_change(self._off_slice_items, self._main.viewer)
        self._watch_mask()
        self._updates.request(PENDING_MS if self.session.pending else 0)

    def _update_side(self, key: int, redrawn: bool) -> None:
        """Show the prompts, and the label map if it changed, in a side view."""
        layers = self._sides[key]
        if redrawn:
            layers.redraw()
        layers.pull()
        self._linked.off_slice.changed.emit(layers.viewer)

    def set_polarity(self, positive: bool) -> None:
        """Choose whether the next prompts say *this* or *not this*."""
        self._positive = positive
        for layers in self._all():
            layers.set_polarity(positive)

    def set_depth(self, depth_mm: float) -> None:
        """Choose how deep new boxes are."""
        for layers in self._all():
            layers.shapes.depth_mm = depth_mm

    def show_object(self, object_id: int, is_shown: bool) -> None:
        """Show or hide the mask of an object."""
        (self._hidden.discard if is_shown else self._hidden.add)(object_id)
        for layers in self._all():
            layers.mask.show_object(object_id, is_shown)

    def finish_drawing(self) -> bool:
        """End a polygon that is being drawn in any view; whether there was any."""
        return any(layers.shapes.finish_drawing() for layers in self._all())

    def use(self, layer: PromptLayer[Any] | MaskLayer | None, mode: str) -> None:
        """Make a layer of the viewer, and those like it in the side views, the active ones."""
        self._used = (None if layer is None else layer.role, mode)
        self._main.use(layer, mode)
        for side in self._sides.values():
            self._use_in(side)

    def close(self) -> None:
        """Take the layers of prompts away; the masks stay in the viewer as a labels layer."""
        self._linked.added.disconnect(self._add)
        self._linked.removed.disconnect(self._remove)
        self._unwatch_mask()
        for side in list(self._linked.sides):
            self._remove(side)
        self._updates.close()
        self._linked.off_slice.remove_source(self._off_slice_items)
        self._main.close()

    def removed(self, layer: Layer) -> None:
        """The person took a layer away from the viewer: its prompts go too."""
        self._main.removed(layer)

    def _off_slice_items(self) -> list[OffSliceItem]:
        """The prompts of the active object."""
        live = self.session.now.objects.get(self.session.active or 0)
        return self._items.of(AppendMap() if live is None else live.prompts)

    def _all(self) -> list[SessionLayers]:
        return [self._main, *self._sides.values()]

    def _add(self, side: Any) -> None:
        layers = SessionLayers(side, self.session, self._on_error, lambda _: None)
        self._sides[hash(side)] = layers
        self._updates.add(side)
        layers.set_polarity(self._positive)
        layers.shapes.depth_mm = self._main.shapes.depth_mm
        for object_id in self._hidden:
            layers.mask.show_object(object_id, False)
        layers.pull()
        self._watch_mask()
        self._on_mask_setting()
        self._use_in(layers)

    def _remove(self, side: Any) -> None:
        layers = self._sides.pop(hash(side), None)
        if layers is not None:
            self._updates.remove(side)
            layers.close()
            layers.mask.remove()

    def _use_in(self, side: SessionLayers) -> None:
        if self._used is None:
            return
        role, mode = self._used
        own = {layer.role: layer for layer in (side.points, side.shapes, side.scribbles, side.mask)}
        side.use(own.get(role or ""), mode)

    def _watch_mask(self) -> None:
        """Follow the user's settings of the masks in napari's layer controls."""
        layer = self._main.mask.layer
        if layer is self._watched or not self._sides:
            return
        self._unwatch_mask()
        if layer is not None:
            for name in MASK_SETTINGS:
                getattr(layer.events, name).connect(self._on_mask_setting)
        self._watched = layer

    def _unwatch_mask(self) -> None:
        if self._watched is not None:
            for name in MASK_SETTINGS:
                getattr(self._watched.events, name).disconnect(self._on_mask_setting)
        self._watched = None

    def _on_mask_setting(self, _: Any = None) -> None:
        main = self._main.mask.layer
        for side in self._sides.values():
            own = side.mask.layer
            if main is None or own is None:
                continue
            for name in MASK_SETTINGS:
                if getattr(own, name) != getattr(main, name):
                    setattr(own, name, getattr(main, name))
