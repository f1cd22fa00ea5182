"""Several crop sizes at once, and the choice between what the network proposes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.crops import Crop, Floats, put, take, transfer
from training.gesture_channels import channels, extent_of, needed_mm, voxels_of
from training.gestures import Box, Gesture, Line, Point

Predict = Callable[[Floats], tuple[Floats, Floats]]
"""Channels ``(B, C, N, N, N)`` to logits ``(B, N, N, N)`` and score logits ``(B,)``."""
EDGES_MM = (24.0, 40.0, 64.0, 100.0, 160.0)
EXTENTS = (1.5, 2.2, 3.2)
"""Edges of the crops, in extents of a line or box."""
MARGIN = 1.25
"""A crop is at least so many times as large as the prompts' extent."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What the network proposes in one crop.

    Parameters
    ----------
    probabilities
        ``(N, N, N)`` float32.
    score
        Predicted Dice, 0 to 1.
    total
        What the choice is made by, see `Segmenter`.
    """

    crop: Crop
    probabilities: Floats
    score: float
    total: float = 0.0


class Segmenter:
    """Segments one structure of an image from all its prompts, in order.

    The proposal with the largest total is chosen. The total is the predicted Dice, plus half the
    mean Dice to the proposals of the neighbouring sizes, a quarter of the stability (volume at 0.65
    over volume at 0.35) and half the share of satisfied points, minus the contact with the border.

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
        Whether a correction changes only what is connected to it.
    """

    def __init__(
        self,
        image: Floats,
        spacing: tuple[float, float, float],
        predict: Predict,
        *,
        voxels: int = 32,
        local: bool = False,
    ) -> None:
        self._image, self._spacing = np.asarray(image, np.float32), spacing
        self._predict, self._voxels, self._local = predict, voxels, local
        self._mask = np.zeros(image.shape, bool)
        self._last: Proposal | None = None
        self.proposals: list[Proposal] = []

    def segment(self, gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
        """The mask ``(Z, Y, X)`` after one more prompt; all prompts are passed every time."""
        crops = self._crops(gestures)
        self.proposals = _chosen_by(self._propose(crops, gestures), gestures, self._spacing)
        self._last = max(self.proposals, key=lambda p: p.total)
        mask = self.mask_of(self._last, gestures)
        if self._local and len(gestures) > 1 and isinstance(gestures[-1], Point):
            mask = _corrected(self._mask, mask, gestures[-1])
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
        return _connected(mask, gestures)

    def _crops(self, gestures: Sequence[Gesture]) -> list[Crop]:
        low, high, extent = extent_of(gestures, self._spacing)
        if self._last is not None:
            inside = np.argwhere(self._mask)
            if len(inside):
                low = np.minimum(low, inside.min(0) * self._spacing)
                high = np.maximum(high, inside.max(0) * self._spacing)
        a, b, c = ((low + high) / 2).tolist()
        if extent > 0:
            edges: Sequence[float] = [max(extent, 8.0) * e for e in EXTENTS]
        else:
            edges = EDGES_MM
        needed = needed_mm(gestures, np.array((a, b, c)), self._spacing) * MARGIN
        fitting = [e for e in edges if e >= needed] or [max(needed, edges[-1])]
        return [Crop((a, b, c), edge, self._voxels) for edge in fitting]

    def _propose(self, crops: list[Crop], gestures: Sequence[Gesture]) -> list[Proposal]:
        stacked = np.concatenate([self._channels(crop, gestures) for crop in crops])
        logits, scores = self._predict(stacked)
        probabilities = 1 / (1 + np.exp(-logits))
        predicted = 1 / (1 + np.exp(-scores))
        parts = zip(crops, probabilities, predicted, strict=True)
        return [Proposal(c, p.astype(np.float32), float(s)) for c, p, s in parts]

    def _channels(self, crop: Crop, gestures: Sequence[Gesture]) -> Floats:
        image = take(self._image, self._spacing, crop)
        last = np.zeros_like(image)
        if self._last is not None:
            last = transfer(self._last.probabilities, self._last.crop, crop)
        return channels(image, last, gestures, crop, self._spacing)


def _chosen_by(
    proposals: list[Proposal], gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> list[Proposal]:
    """The proposals with their totals."""
    result = []
    for k, proposal in enumerate(proposals):
        near = [proposals[j] for j in (k - 1, k + 1) if 0 <= j < len(proposals)]
        agreement = float(np.mean([_agreement(proposal, other) for other in near])) if near else 0.5
        p = proposal.probabilities
        stability = float((p > 0.65).sum() / max((p > 0.35).sum(), 1))
        total = proposal.score + 0.5 * agreement + 0.25 * stability
        total += 0.5 * _obeyed(proposal, gestures, spacing) - _contact(p > 0.5)
        result.append(Proposal(proposal.crop, p, proposal.score, total))
    return result


def _agreement(one: Proposal, other: Proposal) -> float:
    small, large = sorted((one, other), key=lambda p: p.crop.edge_mm)
    moved = transfer(small.probabilities, small.crop, large.crop) > 0.5
    mask = large.probabilities > 0.5
    total = moved.sum() + mask.sum()
    return float(2 * (moved & mask).sum() / total) if total else 0.0


def _obeyed(proposal: Proposal, gestures: Sequence[Gesture], spacing: tuple[float, ...]) -> float:
    right = []
    for gesture in gestures:
        if isinstance(gesture, Point):
            inside = voxels_of(gesture, proposal.crop, spacing)
            value = proposal.probabilities[inside]
            right.append(bool(((value > 0.5) == gesture.positive).all()))
    return float(np.mean(right)) if right else 1.0


def _contact(mask: NDArray[np.bool_]) -> float:
    """Voxels of the mask in the outermost layer, in parts of its surface; 0 to 1."""
    inner = mask[1:-1, 1:-1, 1:-1].sum()
    outer = mask.sum() - inner
    return float(min(1.0, outer / max(mask.sum(), 1) ** (2 / 3)))


def _connected(mask: NDArray[np.bool_], gestures: Sequence[Gesture]) -> NDArray[np.bool_]:
    """The components that a positive prompt touches; all of them without any."""
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
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
                box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
                touched |= set(np.unique(labels[box]).tolist())
    touched.discard(0)
    return np.isin(labels, list(touched)) if touched else mask


def _corrected(
    before: NDArray[np.bool_], after: NDArray[np.bool_], point: Point
) -> NDArray[np.bool_]:
    """Of a change, only the part that is connected to the correcting point."""
    changed = (after & ~before) if point.positive else (before & ~after)
    changed[point.zyx] = True
    labels, _ = ndimage.label(changed, np.ones((3, 3, 3)))
    part = labels == labels[point.zyx]
    return np.asarray((before | part) if point.positive else (before & ~part))
