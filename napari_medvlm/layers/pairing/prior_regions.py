"""Regions of an answer that lie in another image than the one asked about, such as a prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.layers.pairing.pairing_layers import paired_studies
from napari_medvlm.layers.region_boxes import DisplayedRegion, RegionBoxes
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.layers.views.linked import linked_views

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


def in_current(region: Region, viewer: Viewer, volume: Volume) -> Region:
    """A region where it is shown: one of a registered prior at its place in the current image."""
    studies = paired_studies(viewer)
    if not region.image_name or studies is None or studies.current is not volume:
        return region
    return replace(region, box=_moved(region.box, studies.pairing), points=())


def _moved(box: Box, pairing: Pairing) -> Box:
    if pairing.displacement_mm is not None:
        return Box.around(pairing.to_current(box.corners()))
    turn = pairing.affine_mm[:3, :3]
    s, p, left = pairing.to_current(box.corner_mm).tolist()
    edges = [tuple((turn @ edge).tolist()) for edge in box.edges_mm]
    return box.model_copy(
        update={"corner_mm": (s, p, left), "edges_mm": (edges[0], edges[1], edges[2])}
    )


class PriorRegions:
    """Boxes of regions of another image: in the view of the prior, or else over the image.

    Parameters
    ----------
    viewer, volume, title, on_chosen, kind
        As those of `RegionLayers`.
    """

    def __init__(
        self,
        viewer: Viewer,
        volume: Volume,
        title: str,
        on_chosen: Callable[[int], None],
        kind: str,
    ) -> None:
        self._volume, self._title, self._kind = volume, title, kind
        self._on_chosen = on_chosen
        self._over = RegionLayers(viewer, volume, title, on_chosen, kind)
        self._prior: tuple[LayerSet, RegionBoxes] | None = None
        self._shown: tuple[DisplayedRegion, ...] = ()
        self._linked = linked_views(viewer)
        self._linked.prior_changed.connect(self._on_prior)
        self._on_prior(self._linked.prior)

    def __iter__(self) -> Iterator[Layer]:
        """All layers, in the viewer and in the view of the prior."""
        yield from self._over
        if self._prior is not None:
            yield from self._prior[0]

    def show(self, shown: Sequence[DisplayedRegion]) -> None:
        """Show the boxes of these regions and no others."""
        self._shown = tuple(shown)
        if self._prior is not None:
            self._prior[1].show(self._shown)
        self._over.show(() if self._prior is not None else self._shown)

    def choose(self, *keys: int | None) -> None:
        """Draw the boxes of some regions thicker than the others."""
        self._over.choose(*keys)
        if self._prior is not None:
            self._prior[1].choose(*keys)

    def close(self) -> None:
        """Remove all layers, and stop following the view of the prior."""
        self._linked.prior_changed.disconnect(self._on_prior)
        self._leave_prior()
        self._over.close()

    def _on_prior(self, view: Any) -> None:
        """Move the boxes into the view of the prior when it opens, and back when it closes."""
        self._leave_prior()
        if view is not None:
            layers = LayerSet(view, self._volume, self._kind)
            self._prior = layers, RegionBoxes(layers, self._title, self._on_chosen)
        self.show(self._shown)

    def _leave_prior(self) -> None:
        if self._prior is not None:
            layers, boxes = self._prior
            boxes.close()
            layers.clear()
            self._prior = None
