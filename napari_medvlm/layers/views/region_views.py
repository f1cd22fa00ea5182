"""Boxes of regions in a viewer and in all its side views, each drawn for its own plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.layers.region_boxes import DisplayedRegion, RegionBoxes
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice_items import OffSliceItem, box_item

if TYPE_CHECKING:
    from napari.layers import Layer


class LinkedRegionBoxes:
    """`RegionBoxes` of a viewer, and of each side view from when it is opened.

    Parameters
    ----------
    layers, title, on_chosen
        As those of `RegionBoxes`, for the viewer.
    """

    def __init__(self, layers: LayerSet, title: str, on_chosen: Callable[[int], None]) -> None:
        self._title = title
        self._on_chosen = on_chosen
        self._main = layers
        self._shown: tuple[DisplayedRegion, ...] = ()
        self._chosen: tuple[int | None, ...] = ()
        self._views: dict[int, tuple[LayerSet, RegionBoxes]] = {
            hash(layers.viewer): (layers, RegionBoxes(layers, title, on_chosen))
        }
        self._linked = linked_views(layers.viewer)
        self._linked.added.connect(self._add)
        self._linked.removed.connect(self._remove)
        self._linked.off_slice.add_source(self._off_slice_items)
        for side in self._linked.sides:
            self._add(side)

    def __iter__(self) -> Iterator[Layer]:
        """The layers in side views."""
        for layers, _ in self._views.values():
            if layers is not self._main:
                yield from layers

    def show(self, shown: Sequence[DisplayedRegion]) -> None:
        """Show the boxes of these regions and no others."""
        self._shown = tuple(shown)
        for layers, boxes in self._views.values():
            self._draw(layers, partial(boxes.show, shown))
        boxes_layer = self._main.get("boxes")
        if boxes_layer is not None:
            boxes_layer.events.visible.connect(self._on_visible)
        self._linked.off_slice.note_change(self._off_slice_items)

    def choose(self, *keys: int | None) -> None:
        """Draw the boxes of some regions thicker than the others."""
        self._chosen = keys
        for layers, boxes in self._views.values():
            self._draw(layers, partial(boxes.choose, *keys))

    def close(self) -> None:
        """Stop following the views, and take the layers out of the side views."""
        self._linked.added.disconnect(self._add)
        self._linked.removed.disconnect(self._remove)
        self._linked.off_slice.remove_source(self._off_slice_items)
        for layers, boxes in self._views.values():
            boxes.close()
            if layers is not self._main:
                layers.clear()
        self._views.clear()

    def _on_visible(self, _: Any) -> None:
        self._linked.off_slice.note_change(self._off_slice_items)

    def _off_slice_items(self) -> Iterator[OffSliceItem]:
        """The boxes of the regions, unless they are hidden."""
        layer = self._main.get("boxes")
        if layer is not None and layer.visible:
            for shown in self._shown:
                yield box_item(shown.region.box, shown.color)

    def _add(self, side: Any) -> None:
        layers = LayerSet(side, self._main.volume, self._main.kind)
        boxes = RegionBoxes(layers, self._title, self._on_chosen)
        self._views[hash(side)] = layers, boxes
        self._draw(layers, partial(boxes.show, self._shown))
        self._draw(layers, partial(boxes.choose, *self._chosen))

    def _remove(self, side: Any) -> None:
        layers, boxes = self._views.pop(hash(side), (None, None))
        if layers is not None and boxes is not None:
            boxes.close()
            layers.clear()

    @staticmethod
    def _draw(layers: LayerSet, draw: Callable[[], None]) -> None:
        """Draw in a view whose active layer stays the same."""
        selection = layers.viewer.layers.selection
        active = selection.active
        draw()
        if active in layers.viewer.layers and selection.active is not active:
            selection.active = active
