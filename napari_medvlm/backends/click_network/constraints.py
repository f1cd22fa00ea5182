"""What a mask of the network must hold to: prompts, and the mask before a correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.crops import bounding_box
from napari_medvlm.backends.click_network.gestures import Box, Gesture, Line, Point, Stroke

Bools = NDArray[np.bool_]

REACH, LEAST_MM = 4.0, 4.0
"""A local correction reaches so many distances to the surface, and at least so far."""
CORNERS = np.ones((3, 3, 3), bool)
"""Voxels that touch by a corner are connected."""


def within_boxes(mask: Bools, gestures: Sequence[Gesture]) -> Bools:
    """Without what lies outside a 3D box, or outside a 2D box in its slice; points win."""
    for gesture in gestures:
        if isinstance(gesture, Box):
            inside = tuple(slice(a, b) for a, b in zip(gesture.low, gesture.high, strict=True))
            axis = gesture.flat_axis
            reach = [slice(None)] * 3
            if axis is not None:
                reach[axis] = inside[axis]
            limited = mask.copy()
            limited[tuple(reach)] = False
            limited[inside] = mask[inside]
            mask = limited
    for gesture in gestures:
        if isinstance(gesture, Point | Stroke) and gesture.positive:
            mask[voxel_index(gesture)] = True
    return mask


def voxel_index(gesture: Point | Stroke) -> tuple[NDArray[np.int64], ...]:
    """The voxels of a point or stroke as an index of an array."""
    voxels = [gesture.zyx] if isinstance(gesture, Point) else gesture.voxels
    return tuple(np.array(voxels, np.int64).T)


def connected(mask: Bools, gestures: Sequence[Gesture]) -> Bools:
    """The components that a positive prompt touches; all of them without any."""
    from scipy import ndimage

    box = bounding_box(mask)
    labels = np.zeros(mask.shape, np.int32)
    labels[box] = ndimage.label(mask[box], CORNERS)[0]
    touched: set[int] = set()
    for gesture in gestures:
        match gesture:
            case Point(positive=True) | Stroke(positive=True):
                touched |= set(labels[voxel_index(gesture)].tolist())
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


def corrected(
    before: Bools, after: Bools, correction: Point | Stroke, spacing: tuple[float, ...]
) -> Bools:
    """Of a change, only the part that is near and connected to the correcting prompt.

    Near is within `REACH` times the distance from the prompt to the surface of the mask: a point is
    expected in the middle of an error.
    """
    from scipy import ndimage

    positive, at = correction.positive, voxel_index(correction)
    changed = (after & ~before) if positive else (before & ~after)
    changed &= _ball(before, correction, spacing)
    changed[at] = True
    box = bounding_box(changed)
    labels, part = np.zeros(changed.shape, np.int32), np.zeros(changed.shape, bool)
    labels[box] = ndimage.label(changed[box], CORNERS)[0]
    part[box] = np.isin(labels[box], np.unique(labels[at]))
    return np.asarray((before | part) if positive else (before & ~part))


def _ball(before: Bools, correction: Point | Stroke, spacing: tuple[float, ...]) -> Bools:
    """The voxels within reach of the middle of a correcting prompt."""
    voxels = np.stack(voxel_index(correction), axis=-1)
    middle = voxels[len(voxels) // 2]
    squared = np.zeros(before.shape, np.float32)
    for i, c, s in zip(np.ogrid[tuple(map(slice, before.shape))], middle, spacing, strict=True):
        squared += ((i - c) * s) ** 2
    other = before if correction.positive else ~before
    if not other.any():
        return np.ones(before.shape, bool)
    reach = max(REACH * float(np.sqrt(squared[other].min())), LEAST_MM)
    spread = np.linalg.norm((voxels - middle) * np.array(spacing), axis=1).max()
    return np.asarray(squared <= (reach + spread) ** 2)
