"""One object on the slices of a plane: predicted where it was prompted, followed from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.sam.embeddings import Embeddings
from napari_medvlm.backends.sam.model import SamModel
from napari_medvlm.backends.sam.propagation import SliceMask, StopRule, propagated
from napari_medvlm.backends.sam.slice_backend import Plane
from napari_medvlm.backends.sam.slice_prompts import ObjectOnSlices, SlicePrompts, bounds_of


@dataclass(eq=False)
class OneObject:
    """Segment one object from its prompts on slices.

    Parameters
    ----------
    plane
        The slices that the prompts were read on.
    said
        The prompts.
    stop
        When the object has ended.
    """

    model: SamModel
    embeddings: Embeddings
    plane: Plane
    prompts: ObjectOnSlices
    stop: StopRule
    progress: Progress
    _done: int = field(default=0, init=False)

    def masks(self) -> dict[int, SliceMask]:
        """The object on each slice that it is found on, and on all that were prompted."""
        known = {
            index: SliceMask(inside, 1.0) for index, inside in self.prompts.known_masks.items()
        }
        known = {**known, **self._prompted()}
        if self.prompts.stays:
            return known
        return propagated(known, self.prompts.first, self.prompts.last, self._next, self.stop)

    def _prompted(self) -> dict[int, SliceMask]:
        """The object on the slices that say where it is.

        A single click may mean a part or the whole. The network's masks for that are ranked by its
        own scores, summed over all slices with a single click, so that the same is meant on each;
        of equals the first is taken.
        """
        offers = {}
        for index in self.prompts.anchors:
            here = self.prompts.slices[index]
            offers[index] = self._offers(index, here, (), several=here.is_single_click)
        open_ones = [masks for masks in offers.values() if len(masks) > 1]
        total = np.sum([[mask.score for mask in masks] for masks in open_ones], axis=0)
        best = int(np.argmax(total)) if open_ones else 0
        return {i: masks[best if len(masks) > 1 else 0] for i, masks in offers.items()}

    def _next(self, index: int, before: SliceMask, prefetch: Sequence[int]) -> SliceMask:
        """Segment a slice from the previous slice's mask and box and the prompts on it."""
        here = self.prompts.slices.get(index, SlicePrompts())
        prompts = SlicePrompts(
            here.points, here.labels, bounds_of(before.inside), before.inside, here.erased
        )
        return self._offers(index, prompts, prefetch, several=False)[0]

    def _offers(
        self, index: int, prompts: SlicePrompts, prefetch: Sequence[int], several: bool
    ) -> list[SliceMask]:
        self._report(f"slice {index + 1}")
        embedding = self.embeddings.get(self.plane, index, prefetch)
        masks = self.model.masks(embedding, self.plane.frame.size, prompts, several)
        self._done += 1
        self._report(f"slice {index + 1}: {max(mask.score for mask in masks):.2f}")
        return [SliceMask(prompts.consistent(mask.inside), mask.score) for mask in masks]

    def _report(self, message: str) -> None:
        self.progress(min(self._done / self.plane.count, 1.0), message)
