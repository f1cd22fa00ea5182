"""Several crop sizes at once, and the choice between what the network proposes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.choice import Proposal, totals
from training.crops import Crop, Floats, bounding_box, put, take, take_mask
from training.gesture_channels import channels, extent_of, needed_mm
from training.gestures import Box, Gesture, Line, Point

Predict = Callable[[Floats], tuple[Floats, Floats]]
"""Channels ``(B, C, N, N, N)`` to logits ``(B, N, N, N)`` and score logits ``(B,)``."""
EDGES_MM = (24.0, 40.0, 64.0, 100.0, 160.0)
EXTENTS = (1.5, 2.2, 3.2)
"""Edges of the crops, in extents of a line or box."""
REACH, LEAST_MM = 4.0, 4.0
"""A local correction reaches so many distances to the surface, and at least so far."""
CORNERS = np.ones((3, 3, 3), bool)
"""Voxels that touch by a corner are connected."""
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
    """

    def __init__(
        self,
        image: Floats,
        spacing: tuple[float, float, float],
        predict: Predict,
        *,
        voxels: int = 32,
        local: bool = True,
    ) -> None:
        self._image, self._spacing = np.asarray(image, np.float32), spacing
        self._predict, self._voxels, self._local = predict, voxels, local
        self._mask = np.zeros(image.shape, bool)
        self.proposals: list[Proposal] = []

    def segment(self, gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
        """The mask ``(Z, Y, X)`` after one more prompt; all prompts are passed every time."""
        self.proposals = self._propose(self._crops(gestures), gestures)
        last = [self._last_in(p.crop) > 0.5 for p in self.proposals] if self._mask.any() else None
        values = totals(self.proposals, gestures, self._spacing, last)
        mask = self.mask_of(self.proposals[int(np.argmax(values))], gestures)
        if self._local and len(gestures) > 1 and isinstance(gestures[-1], Point):
            mask = _corrected(self._mask, mask, gestures[-1], self._spacing)
        self._mask = mask
        return mask.copy()

    def mask_of(self, proposal: Proposal, gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
        """A proposal on the grid of the image, with the points as hard constraints."""
        box = proposal.crop.box(self._image.shape, self._spacing)
        inside = put(proposal.probabilities, proposal.crop, box, self._spacing) > 0.5
        mask = np.zeros(self._image.shape, bool)
        mask[box] = inside
        for gesture in gestures:
            if isinstance(gesture, Point):
                mask[gesture.zyx] = gesture.positive
        return _connected(_within_boxes(mask, gestures), gestures)

    def _crops(self, gestures: Sequence[Gesture]) -> list[Crop]:
        low, high, extent = extent_of(gestures, self._spacing)
        box = bounding_box(self._mask)
        if box[0].stop:
            low = np.minimum(low, np.array([b.start for b in box]) * self._spacing)
            high = np.maximum(high, np.array([b.stop - 1 for b in box]) * self._spacing)
        a, b, c = ((low + high) / 2).tolist()
        if extent > 0:
            edges: Sequence[float] = [max(extent, 8.0) * e for e in EXTENTS]
        else:
            edges = EDGES_MM
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


def _within_boxes(mask: NDArray[np.bool_], gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
    """Without what lies outside a 3D box, or outside a 2D box in its slice; points win."""
    for gesture in gestures:
        if isinstance(gesture, Box):
            inside = tuple(slice(a, b) for a, b in zip(gesture.low, gesture.high, strict=True))
            flat = gesture.high[0] - gesture.low[0] == 1
            reach = inside[0] if flat else slice(None)
            limited = mask.copy()
            limited[reach] = False
            limited[inside] = mask[inside]
            mask = limited
    for gesture in gestures:
        if isinstance(gesture, Point) and gesture.positive:
            mask[gesture.zyx] = True
    return mask


def _connected(mask: NDArray[np.bool_], gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
    """The components that a positive prompt touches; all of them without any."""
    box = bounding_box(mask)
    labels = np.zeros(mask.shape, np.int32)
    labels[box] = ndimage.label(mask[box], CORNERS)[0]
    touched: set[int] = set()
    for gesture in gestures:
        match gesture:
            case Point(zyx=zyx, positive=True):
                touched.add(int(labels[zyx]))
            case Line(start=start, end=end):
                for t in np.linspace(0.2, 0.8, 16):
                    at = np.round(np.array(start) + t * (np.array(end) - np.array(start)))
                    touched.add(int(labels[tuple(at.astype(int))]))
            case Box(low=low, high=high):
                inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
                touched |= set(np.unique(labels[inside]).tolist())
    touched.discard(0)
    if touched:
        mask[box] = np.isin(labels[box], list(touched))
    return mask


def _corrected(
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    point: Point,
    spacing: tuple[float, ...],
) -> NDArray[np.bool_]:
    """Of a change, only the part that is near and connected to the correcting point.

    Near is within `REACH` times the distance from the point to the surface of the mask: a point is
    expected in the middle of an error.
    """
    changed = (after & ~before) if point.positive else (before & ~after)
    changed &= _ball(before, point, spacing)
    changed[point.zyx] = True
    box = bounding_box(changed)
    labels, part = np.zeros(changed.shape, np.int32), np.zeros(changed.shape, bool)
    labels[box] = ndimage.label(changed[box], CORNERS)[0]
    part[box] = labels[box] == labels[point.zyx]
    return np.asarray((before | part) if point.positive else (before & ~part))


def _ball(before: NDArray[np.bool_], point: Point, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """The voxels within reach of a correcting point."""
    z, y, x = (
        ((i - c) * s) ** 2
        for i, c, s in zip(
            np.ogrid[tuple(map(slice, before.shape))], point.zyx, spacing, strict=True
        )
    )
    squared = z + y + x
    other = before if point.positive else ~before
    if not other.any():
        return np.ones(before.shape, bool)
    reach = max(REACH * float(np.sqrt(squared[other].min())), LEAST_MM)
    return np.asarray(squared <= reach**2)
