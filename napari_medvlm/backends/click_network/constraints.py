"""What a mask of the network must hold to: prompts, and the mask before a correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.gestures import Box, Gesture, Line, Point, Stroke
from napari_medvlm.data.mask import bounding_box

Bools = NDArray[np.bool_]
Vector = NDArray[np.float64]

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
    labels, count = ndimage.label(mask[box], CORNERS)
    touched = np.zeros(count + 1, bool)
    for gesture in gestures:
        match gesture:
            case Point(positive=True) | Stroke(positive=True):
                touched[_labels_at(labels, box, np.stack(voxel_index(gesture), axis=-1))] = True
            case Line(start=start, end=end):
                parts = np.linspace(0.2, 0.8, 16)[:, None]
                at = np.round(np.array(start) + parts * (np.array(end) - np.array(start)))
                touched[_labels_at(labels, box, at.astype(np.int64))] = True
            case Box(low=low, high=high):
                inside = tuple(
                    slice(max(a - b.start, 0), max(z - b.start, 0))
                    for a, z, b in zip(low, high, box, strict=True)
                )
                touched[np.unique(labels[inside])] = True
    touched[0] = False
    if touched.any():
        mask[box] = touched[labels]
    return mask


def _labels_at(
    labels: NDArray[np.int32], box: tuple[slice, ...], voxels: NDArray[np.int64]
) -> NDArray[np.int32]:
    """The labels of a box of the image at voxels ``(n, 3)`` of the image; none outside the box."""
    at = voxels - [part.start for part in box]
    inside = ((at >= 0) & (at < labels.shape)).all(axis=1)
    labels_there: NDArray[np.int32] = labels[tuple(at[inside].T)]
    return labels_there


def corrected(
    before: Bools, after: Bools, correction: Point | Stroke, spacing: tuple[float, ...]
) -> Bools:
    """Of a change, only the part that is near and connected to the correcting prompt."""
    return corrected_all(before, [after], correction, spacing)[0]


def corrected_all(
    before: Bools, afters: Sequence[Bools], correction: Point | Stroke, spacing: tuple[float, ...]
) -> list[Bools]:
    """Of several changes, only the parts that are near and connected to the correcting prompt.

    Near is within `REACH` times the distance from the prompt to the surface of the mask: a point is
    expected in the middle of an error.
    """
    box, ball = _ball(before, correction, spacing)
    low = [part.start for part in box]
    at = tuple(np.stack(voxel_index(correction), axis=-1).T - np.array(low)[:, None])
    return [_local(before, after, correction.positive, at, box, ball) for after in afters]


def _local(
    before: Bools,
    after: Bools,
    positive: bool,
    at: tuple[NDArray[np.int64], ...],
    box: tuple[slice, ...],
    ball: Bools,
) -> Bools:
    """A mask with the part of its change in a ball that is connected to voxels of its box."""
    from scipy import ndimage

    old, new = before[box], after[box]
    changed = ((new & ~old) if positive else (old & ~new)) & ball
    changed[at] = True
    labels = ndimage.label(changed, CORNERS)[0]
    part = np.isin(labels, np.unique(labels[at]))
    result = before.copy()
    result[box] = (old | part) if positive else (old & ~part)
    return result


def _ball(
    before: Bools, correction: Point | Stroke, spacing: tuple[float, ...]
) -> tuple[tuple[slice, ...], Bools]:
    """The voxels within reach of the middle of a correcting prompt, in a box of the image."""
    voxels = np.stack(voxel_index(correction), axis=-1)
    middle, sizes = voxels[len(voxels) // 2], np.array(spacing)
    spread = float(np.linalg.norm((voxels - middle) * sizes, axis=1).max())
    distance = _distance(before == correction.positive, middle, sizes)
    reach = np.inf if distance is None else max(REACH * distance, LEAST_MM) + spread
    steps = np.minimum(np.ceil(reach / sizes), max(before.shape)).astype(int)
    low, high = np.maximum(middle - steps, 0), np.minimum(middle + steps + 1, before.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    squared = _squared(box, middle, sizes)
    return box, np.asarray(squared <= reach**2)


def _distance(agreeing: Bools, middle: NDArray[np.int64], sizes: Vector) -> float | None:
    """Distance in mm from a voxel to the nearest that is true; `None` if there is none."""
    shape = np.array(agreeing.shape)
    reach = 8.0 * float(sizes.min())
    while True:
        steps = np.ceil(reach / sizes).astype(int)
        low, high = np.maximum(middle - steps, 0), np.minimum(middle + steps + 1, shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        inside = agreeing[box]
        if inside.any():
            nearest = float(np.sqrt(_squared(box, middle, sizes)[inside].min()))
            if nearest <= reach:
                return nearest
        elif (low == 0).all() and (high == shape).all():
            return None
        reach *= 2


def _squared(box: tuple[slice, ...], middle: NDArray[np.int64], sizes: Vector) -> Vector:
    """Squared distance in mm of the voxels of a box from a voxel."""
    axes = np.ogrid[box]
    parts = zip(axes, middle, sizes, strict=True)
    return np.asarray(sum(((i - c) * s) ** 2 for i, c, s in parts))
