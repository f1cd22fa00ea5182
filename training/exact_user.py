"""The simulated user of the evaluation: on the grid of the image, in millimetres."""

from __future__ import annotations

import numpy as np
from napari_medvlm.backends.click_network.gestures import Box, Line, Point
from napari_medvlm.data.mask import bounding_box
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

Bools = NDArray[np.bool_]
Spacing = tuple[float, float, float]


def next_point(truth: Bools, mask: Bools, spacing: Spacing) -> Point | None:
    """The most interior voxel of the largest face-connected error, `None` where there is none.

    Missed and wrongly included voxels are separate errors. Outside the image counts as correct.

    Parameters
    ----------
    truth, mask
        ``(Z, Y, X)`` bool.
    spacing
        Size of a voxel ``(z, y, x)`` in mm.
    """
    missed, excess = _largest(truth & ~mask), _largest(mask & ~truth)
    positive = missed.sum() >= excess.sum()
    error = missed if positive else excess
    if not error.any():
        return None
    box = bounding_box(error)
    depth = ndimage.distance_transform_edt(np.pad(error[box], 1), sampling=spacing)[
        1:-1, 1:-1, 1:-1
    ]
    position = np.unravel_index(depth.argmax(), depth.shape)
    zyx = [int(p + b.start) for p, b in zip(position, box, strict=True)]
    return Point((zyx[0], zyx[1], zyx[2]), bool(positive))


def diameter(truth: Bools, spacing: Spacing) -> Line:
    """The longest diameter in the slice (first axis) with the largest area."""
    z = _largest_slice(truth)
    outline = truth[z] & ~ndimage.binary_erosion(truth[z])
    yx = np.argwhere(outline)
    distances = cdist(yx * spacing[1:], yx * spacing[1:])
    a, b = np.unravel_index(distances.argmax(), distances.shape)
    return Line((z, int(yx[a, 0]), int(yx[a, 1])), (z, int(yx[b, 0]), int(yx[b, 1])))


def box_2d(truth: Bools) -> Box:
    """The bounding box in the slice (first axis) with the largest area."""
    z = _largest_slice(truth)
    yx = np.argwhere(truth[z])
    (y0, x0), (y1, x1) = yx.min(0).tolist(), (yx.max(0) + 1).tolist()
    return Box((z, y0, x0), (z + 1, y1, x1))


def box_3d(truth: Bools) -> Box:
    """The bounding box of the structure."""
    zyx = np.argwhere(truth)
    (a, b, c), (d, e, f) = zyx.min(0).tolist(), (zyx.max(0) + 1).tolist()
    return Box((a, b, c), (d, e, f))


def dice(mask: Bools, truth: Bools) -> float:
    """Dice coefficient, 1 where both are empty."""
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def _largest(error: Bools) -> Bools:
    box = bounding_box(error)
    labels, count = ndimage.label(error[box])
    if count == 0:
        return error
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = np.zeros_like(error)
    largest[box] = labels == sizes.argmax()
    return largest


def _largest_slice(truth: Bools) -> int:
    return int(truth.sum((1, 2)).argmax())
