"""Prompts on the grid of an image as channels of a crop, and the extent that they need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.crops import Crop, Floats
from training.gestures import Box, Gesture, Line, Point
from training.imaging import normalised
from training.prompts import Prompts, encode, local_mean

Spacing = tuple[float, ...]


def channels(
    image: Floats, last: Floats, gestures: Sequence[Gesture], crop: Crop, spacing: Spacing
) -> Floats:
    """The input of the network for one crop, ``(1, C, N, N, N)``.

    Parameters
    ----------
    image, last
        ``(N, N, N)``; intensities, and probabilities of the last round, in the crop.
    """
    intensities = normalised(torch.from_numpy(image)[None])
    prompts = Prompts.none(intensities)
    means = local_mean(intensities)
    for gesture in gestures:
        voxels = torch.from_numpy(voxels_of(gesture, crop, spacing))[None]
        _add(prompts, gesture, voxels, means)
    encoded = encode(intensities, prompts, torch.from_numpy(last)[None])
    return np.asarray(encoded.numpy(), np.float32)


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
        intensity = means[0][near[:, 0], near[:, 1], near[:, 2]].median()
        prompts.refer(intensity[None], torch.tensor([positive]))


def voxels_of(gesture: Gesture, crop: Crop, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """The voxels of the crop that a prompt covers, at least one per axis."""
    marked = np.zeros((crop.voxels,) * 3, bool)
    match gesture:
        case Point(zyx=zyx):
            at = [crop.index(np.array(zyx) * spacing)]
        case Line(start=start, end=end):
            ends = [crop.index(np.array(e) * spacing) for e in (start, end)]
            count = int(np.abs(ends[1] - ends[0]).max()) + 2
            at = [ends[0] + t * (ends[1] - ends[0]) for t in np.linspace(0, 1, count)]
        case Box():
            marked[_bounds(gesture, crop, spacing)] = True
            return marked
    for zyx_in_crop in at:
        index = np.round(zyx_in_crop).astype(int)
        if (index >= 0).all() and (index < crop.voxels).all():
            marked[tuple(index)] = True
    return marked


def extent_of(
    gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Bounds in mm of what is positive, and the largest extent of a line or box, 0 without one."""
    positive = [g for g in gestures if not isinstance(g, Point) or g.positive]
    ends = np.concatenate([_ends(g) for g in positive]) * spacing
    sizes = [np.ptp(_ends(g) * spacing, 0).max() for g in positive if not isinstance(g, Point)]
    return ends.min(0), ends.max(0), float(max(sizes, default=0.0))


def needed_mm(
    gestures: Sequence[Gesture], centre: NDArray[np.float64], spacing: tuple[float, ...]
) -> float:
    """Edge in mm of the smallest cube around a centre (mm) that has all prompts."""
    ends = np.concatenate([_ends(g) for g in gestures]) * spacing
    return float(2 * np.abs(ends - centre).max())


def _ends(gesture: Gesture) -> NDArray[np.float64]:
    match gesture:
        case Point(zyx=zyx):
            return np.array([zyx], float)
        case Line(start=start, end=end):
            return np.array([start, end], float)
        case Box(low=low, high=high):
            return np.array([low, np.array(high) - 1], float)


def _bounds(box: Box, crop: Crop, spacing: Spacing) -> tuple[slice, ...]:
    """The voxels whose centre lies in a box; the middle one along an axis in which it is flat."""
    first = crop.index((np.array(box.low) - 0.5) * spacing)
    last = crop.index((np.array(box.high) - 0.5) * spacing)
    middle = np.round((first + last) / 2).astype(int)
    a, b = np.ceil(first).astype(int), np.ceil(last).astype(int)
    flat = (b <= a) | (np.array(box.high) - np.array(box.low) == 1)
    a, b = np.where(flat, middle, a), np.where(flat, middle + 1, b)
    return tuple(slice(max(i, 0), max(j, 0)) for i, j in zip(a, b, strict=True))
