"""Several crop sizes at once, and the choice between what the network proposes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.border import refined
from napari_medvlm.backends.click_network.channels import channels, extent_of, needed_mm
from napari_medvlm.backends.click_network.choice import Proposal, totals
from napari_medvlm.backends.click_network.constraints import (
    connected,
    corrected,
    voxel_index,
    within_boxes,
)
from napari_medvlm.backends.click_network.crops import (
    Crop,
    Floats,
    box_above,
    put,
    take,
    take_mask,
)
from napari_medvlm.backends.click_network.gestures import (
    Gesture,
    Point,
    Stroke,
    is_positive,
)
from napari_medvlm.data.mask import bounding_box

Predict = Callable[[Floats], tuple[Floats, Floats]]
"""Channels ``(B, C, N, N, N)`` to logits ``(B, N, N, N)`` and score logits ``(B,)``."""
EDGES_MM = (24.0, 40.0, 64.0, 100.0, 160.0)
EXTENTS = (1.5, 2.2, 3.2)
"""Edges of the crops, in extents of a line or box."""
FEW = 3
"""So many sizes, from that of the last mask on, are used for a correction besides other sources."""
LARGEST = 2.0
"""A crop is at most so many times as large as the image."""
MARGIN = 1.25
"""A crop is at least so many times as large as the prompts' extent."""


class Segmenter:
    """Segments one structure of an image from all its prompts, in order.

    The proposal with the largest `total` is chosen.

    Parameters
    ----------
    image
        ``(Z, Y, X)`` float32.
    spacing
        ``(z, y, x)`` in mm.
    predict
        The network, see `Predict`.
    voxels
        Along an edge of a crop.
    local
        Whether a correction changes only what is near and connected to it.
    start, excluded
        ``(Z, Y, X)``; a mask to start from, and voxels that are never in the mask.
    """

    def __init__(
        self,
        image: Floats,
        spacing: tuple[float, float, float],
        predict: Predict,
        *,
        voxels: int = 32,
        local: bool = True,
        start: NDArray[np.bool_] | None = None,
        excluded: NDArray[np.bool_] | None = None,
    ) -> None:
        self._image, self._spacing = np.asarray(image, np.float32), spacing
        self._predict, self._voxels, self._local = predict, voxels, local
        self._mask = np.zeros(image.shape, bool) if start is None else start.copy()
        self._excluded = excluded
        self._refines = start is None
        self.proposals: list[Proposal] = []

    def segment(self, gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
        """The mask ``(Z, Y, X)`` after one more prompt; all prompts are passed every time."""
        values = self._valued(gestures)
        mask = self.mask_of(self.proposals[int(np.argmax(values))], gestures)
        if self._local and self._mask.any() and isinstance(gestures[-1], Point | Stroke):
            mask = corrected(self._mask, mask, gestures[-1], self._spacing)
        self._mask = mask
        return mask.copy()

    def alternatives(
        self,
        gestures: Sequence[Gesture],
        last: NDArray[np.bool_] | None = None,
        most: int = len(EDGES_MM),
    ) -> list[tuple[NDArray[np.bool_], float]]:
        """The masks ``(Z, Y, X)`` of the crop sizes with the largest totals, and these, descending.

        Parameters
        ----------
        last
            ``(Z, Y, X)`` the mask before the newest prompt, if there is one.
        most
            Number of masks.
        """
        self._mask = np.zeros(self._image.shape, bool) if last is None else last
        values = self._valued(gestures, FEW if last is not None else len(EDGES_MM))
        best = sorted(range(len(values)), key=lambda k: -values[k])[:most]
        return [(self.mask_of(self.proposals[k], gestures), values[k]) for k in best]

    def _valued(self, gestures: Sequence[Gesture], sizes: int = len(EDGES_MM)) -> list[float]:
        """Propose a mask in each crop, of at most so many sizes; the totals of the proposals."""
        self._refines = not self._mask.any()  # the border of a correction is left to the network
        crops = self._crops(gestures)
        if sizes < len(crops):
            extents = zip(bounding_box(self._mask), self._spacing, strict=True)
            extent = MARGIN * max((b.stop - b.start) * s for b, s in extents)
            first = sum(crop.edge_mm < extent for crop in crops)
            first = min(first, len(crops) - sizes)
            crops = crops[first : first + sizes]
        self.proposals = self._propose(crops, gestures)
        last = [self._last_in(p.crop) > 0.5 for p in self.proposals] if self._mask.any() else None
        return totals(self.proposals, gestures, self._spacing, last)

    def mask_of(self, proposal: Proposal, gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
        """A proposal on the grid of the image, with the points as hard constraints."""
        mask = np.zeros(self._image.shape, bool)
        parts = (proposal.probabilities, proposal.crop)
        if not self._refines:
            box = box_above(parts[0], 0.5, parts[1], self._image.shape, self._spacing)
            mask[box] = put(*parts, box, self._spacing) > 0.5
        else:
            box, part = refined(self._image, *parts, self._spacing)
            mask[box] = part
        for gesture in gestures:
            if isinstance(gesture, Point | Stroke):
                mask[voxel_index(gesture)] = gesture.positive
        mask = connected(within_boxes(mask, gestures), gestures)
        if self._excluded is not None:
            mask &= ~self._excluded
        return mask

    def _crops(self, gestures: Sequence[Gesture]) -> list[Crop]:
        low, high, extent = extent_of(
            [g for g in gestures if is_positive(g)] or gestures, self._spacing
        )
        box = bounding_box(self._mask)
        if box[0].stop:
            low = np.minimum(low, np.array([b.start for b in box]) * self._spacing)
            high = np.maximum(high, np.array([b.stop - 1 for b in box]) * self._spacing)
        a, b, c = ((low + high) / 2).tolist()
        if extent > 0:
            edges: Sequence[float] = [max(extent, 8.0) * e for e in EXTENTS]
        else:
            size = max(n * s for n, s in zip(self._image.shape, self._spacing, strict=True))
            edges = [e for e in EDGES_MM if e <= LARGEST * size] or EDGES_MM[:1]
        needed = needed_mm(gestures, np.array((a, b, c)), self._spacing) * MARGIN
        fitting = [e for e in edges if e >= needed] or [max(needed, edges[-1])]
        return [Crop((a, b, c), edge, self._voxels) for edge in fitting]

    def _propose(self, crops: list[Crop], gestures: Sequence[Gesture]) -> list[Proposal]:
        images = [take(self._image, self._spacing, crop) for crop in crops]
        pairs = list(zip(images, crops, strict=True))
        stacked = np.concatenate([self._channels(i, c, gestures) for i, c in pairs])
        logits, scores = self._predict(stacked)
        probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
        predicted = 1 / (1 + np.exp(-scores))
        parts = zip(crops, images, probabilities, predicted, strict=True)
        return [Proposal(c, i, p, float(s)) for c, i, p, s in parts]

    def _channels(self, image: Floats, crop: Crop, gestures: Sequence[Gesture]) -> Floats:
        return channels(image, self._last_in(crop), gestures, crop, self._spacing)

    def _last_in(self, crop: Crop) -> Floats:
        """The last mask in a crop, 0 to 1."""
        if not self._mask.any():
            return np.zeros((crop.voxels,) * 3, np.float32)
        return take_mask(self._mask, self._spacing, crop)
