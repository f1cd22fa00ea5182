"""Prompts on the grid of an image as channels of a crop, and the extent that they need.

The channels are those of ``training/prompts.py``, computed by numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.crops import Crop, Floats
from napari_medvlm.backends.click_network.gestures import (
    Box,
    Gesture,
    Line,
    Point,
    Stroke,
    is_positive,
)

Spacing = tuple[float, ...]
Bools = NDArray[np.bool_]

CLIP = 3.0
"""Standard deviations at which intensities are cut."""
REACH = 10
"""Voxels from which on the distance to a prompt is truncated."""
SOFTNESS = 0.2
"""Difference of normalised intensities at which the similarity has fallen to 1/e."""


def channels(
    image: Floats, last: Floats, gestures: Sequence[Gesture], crop: Crop, spacing: Spacing
) -> Floats:
    """The input of the network for one crop, ``(1, C, N, N, N)``.

    Parameters
    ----------
    image, last
        ``(N, N, N)``; intensities, and probabilities of the last round, in the crop.
    """
    intensities = normalised(image)
    means = _local_mean(intensities)
    marked = {name: np.zeros(image.shape, bool) for name in ("positive", "negative", "line", "box")}
    references: dict[bool, list[float]] = {True: [], False: []}
    for gesture in gestures:
        voxels = voxels_of(gesture, crop, spacing)
        marked[_channel(gesture)] |= voxels
        at = np.argwhere(voxels)
        if len(at):
            distance = np.linalg.norm(at - at.mean(axis=0), axis=1)
            near = at[distance <= distance.mean() + 1e-3]
            references[is_positive(gesture)].append(_median(means[tuple(near.T)]))
    parts = (
        intensities,
        *(_nearness(marked[name]) for name in ("positive", "negative", "line")),
        marked["box"],
        last,
        *(_similarity(intensities, references[side]) for side in (True, False)),
    )
    return np.stack([np.asarray(part, np.float32) for part in parts])[None]


def normalised(image: Floats) -> Floats:
    """Mean 0 and standard deviation 1, cut at `CLIP` and divided by it."""
    centred = image - image.mean(dtype=np.float64)
    scaled = centred / max(float(centred.std(ddof=1, dtype=np.float64)), 1e-6)
    return np.asarray(np.clip(scaled, -CLIP, CLIP) / CLIP, np.float32)


def _channel(gesture: Gesture) -> str:
    match gesture:
        case Line():
            return "line"
        case Box():
            return "box"
        case _:
            return "positive" if is_positive(gesture) else "negative"


def _local_mean(image: Floats) -> Floats:
    """Mean of 3 x 3 x 3 voxels, fewer at the border."""
    from scipy.ndimage import uniform_filter

    sums = uniform_filter(image, 3, mode="constant")
    counts = uniform_filter(np.ones_like(image), 3, mode="constant")
    return np.asarray(sums / counts, np.float32)


def _median(values: Floats) -> float:
    """The lower median, as torch has it."""
    return float(np.sort(values)[(len(values) - 1) // 2])


def _nearness(voxels: Bools) -> Floats:
    from scipy.ndimage import distance_transform_edt

    if not voxels.any():
        return np.zeros(voxels.shape, np.float32)
    distance = np.minimum(distance_transform_edt(~voxels), REACH)
    return np.asarray(1 - distance / REACH, np.float32)


def _similarity(image: Floats, references: Sequence[float]) -> Floats:
    nearest = np.full(image.shape, np.inf, np.float32)
    for reference in references:
        nearest = np.minimum(nearest, np.abs(image - np.float32(reference)))
    return np.asarray(np.exp(-nearest / SOFTNESS), np.float32)


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
        case Stroke(voxels=voxels):
            at = [crop.index(np.array(zyx) * spacing) for zyx in voxels]
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
    """Bounds of prompts in mm, and the largest extent of a line or box, 0 without one."""
    ends = np.concatenate([_ends(g) for g in gestures]) * spacing
    sizes = [np.ptp(_ends(g) * spacing, 0).max() for g in gestures if isinstance(g, Line | Box)]
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
        case Stroke(voxels=voxels):
            return np.array([np.min(voxels, axis=0), np.max(voxels, axis=0)], float)
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
