"""Several crop sizes at once, and the choice between what the network proposes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from training.crops import Crop, Floats, put, take, transfer
from training.gestures import Box, Gesture, Line, Point
from training.imaging import normalised
from training.prompts import Prompts, encode, local_mean

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

    Of the proposals, the one is chosen whose sum is the largest: predicted Dice, half the mean Dice to
    the proposals of the neighbouring sizes, a quarter of the stability (volume at 0.65 over volume at
    0.35), half the part of the points that it agrees with, minus the contact with the crop's border.

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
        low, high, extent = _extent(gestures, self._spacing)
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
        needed = _needed(gestures, np.array((a, b, c)), self._spacing) * MARGIN
        fitting = [e for e in edges if e >= needed] or [max(needed, edges[-1])]
        return [Crop((a, b, c), edge, self._voxels) for edge in fitting]

    def _propose(self, crops: list[Crop], gestures: Sequence[Gesture]) -> list[Proposal]:
        channels = np.concatenate([self._channels(crop, gestures) for crop in crops])
        logits, scores = self._predict(channels)
        probabilities = 1 / (1 + np.exp(-logits))
        predicted = 1 / (1 + np.exp(-scores))
        parts = zip(crops, probabilities, predicted, strict=True)
        return [Proposal(c, p.astype(np.float32), float(s)) for c, p, s in parts]

    def _channels(self, crop: Crop, gestures: Sequence[Gesture]) -> Floats:
        image = normalised(torch.from_numpy(take(self._image, self._spacing, crop))[None])
        prompts = Prompts.none(image)
        means = local_mean(image)
        for gesture in gestures:
            voxels = torch.from_numpy(_voxels(gesture, crop, self._spacing))[None]
            _add(prompts, gesture, voxels, means)
        last = torch.zeros_like(image)
        if self._last is not None:
            moved = transfer(self._last.probabilities, self._last.crop, crop)
            last = torch.from_numpy(moved)[None]
        return np.asarray(encode(image, prompts, last).numpy(), np.float32)


def _add(prompts: Prompts, gesture: Gesture, voxels: torch.Tensor, means: torch.Tensor) -> None:
    positive = not isinstance(gesture, Point) or gesture.positive
    match gesture:
        case Point():
            (prompts.positive if positive else prompts.negative).logical_or_(voxels)
        case Line():
            prompts.line.logical_or_(voxels)
        case Box():
            prompts.box.logical_or_(voxels)
    where = voxels[0].nonzero().float()
    if len(where):
        distance = (where - where.mean(0)).norm(dim=1)
        near = where[distance <= distance.mean() + 1e-3].long()
        intensity = means[0][near[:, 0], near[:, 1], near[:, 2]].mean()
        prompts.refer(intensity[None], torch.tensor([positive]))


def _voxels(gesture: Gesture, crop: Crop, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """The voxels of the crop that a prompt covers, at least one per axis."""
    marked = np.zeros((crop.voxels,) * 3, bool)
    match gesture:
        case Point(zyx=zyx):
            at = [crop.index(np.array(zyx) * spacing)]
        case Line(start=start, end=end):
            ends = [crop.index(np.array(e) * spacing) for e in (start, end)]
            count = int(np.abs(ends[1] - ends[0]).max()) + 2
            at = [ends[0] + t * (ends[1] - ends[0]) for t in np.linspace(0, 1, count)]
        case Box(low=low, high=high):
            first = crop.index((np.array(low) - 0.5) * spacing)
            last = crop.index((np.array(high) - 0.5) * spacing)
            a = np.minimum(np.round(first + 0.5), np.round((first + last) / 2)).astype(int)
            b = np.maximum(np.round(last + 0.5).astype(int), a + 1)
            flat = [h - k == 1 for k, h in zip(low, high, strict=True)]
            middle = np.round((first + last) / 2).astype(int)
            a, b = np.where(flat, middle, a), np.where(flat, middle + 1, b)
            bounds = [slice(max(i, 0), max(j, 0)) for i, j in zip(a, b, strict=True)]
            marked[tuple(bounds)] = True
            return marked
    for zyx_in_crop in at:
        index = np.round(zyx_in_crop).astype(int)
        if (index >= 0).all() and (index < crop.voxels).all():
            marked[tuple(index)] = True
    return marked


def _ends(gesture: Gesture) -> NDArray[np.float64]:
    match gesture:
        case Point(zyx=zyx):
            return np.array([zyx], float)
        case Line(start=start, end=end):
            return np.array([start, end], float)
        case Box(low=low, high=high):
            return np.array([low, np.array(high) - 1], float)


def _extent(
    gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Bounds in mm of what is positive, and the largest extent of a line or box, 0 without one."""
    positive = [g for g in gestures if not isinstance(g, Point) or g.positive]
    ends = np.concatenate([_ends(g) for g in positive]) * spacing
    sizes = [np.ptp(_ends(g) * spacing, 0).max() for g in positive if not isinstance(g, Point)]
    return ends.min(0), ends.max(0), float(max(sizes, default=0.0))


def _needed(
    gestures: Sequence[Gesture], centre: NDArray[np.float64], spacing: tuple[float, ...]
) -> float:
    ends = np.concatenate([_ends(g) for g in gestures]) * spacing
    return float(2 * np.abs(ends - centre).max())


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


def _obeyed(
    proposal: Proposal, gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> float:
    right = []
    for gesture in gestures:
        if isinstance(gesture, Point):
            inside = _voxels(gesture, proposal.crop, spacing)
            value = proposal.probabilities[inside]
            right.append(bool(((value > 0.5) == gesture.positive).all()))
    return float(np.mean(right)) if right else 1.0


def _contact(mask: NDArray[np.bool_]) -> float:
    """Voxels of the mask in the outermost layer, in parts of its surface; 0 to 1."""
    inner = mask[1:-1, 1:-1, 1:-1].sum()
    outer = mask.sum() - inner
    return float(min(1.0, outer / max(mask.sum(), 1) ** (2 / 3)))


def _connected(
    mask: NDArray[np.bool_], gestures: Sequence[Gesture]
) -> NDArray[np.bool_]:
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
    return (before | part) if point.positive else (before & ~part)
