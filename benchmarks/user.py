"""A user who looks at the mask and clicks at the centre of the largest error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Click:
    """A voxel ``(z, y, x)`` that belongs to the structure, or not."""

    zyx: tuple[int, int, int]
    positive: bool


def next_click(
    truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
) -> Click | None:
    """The most interior voxel (in mm) of the largest connected error; `None` if there is none."""
    best_size, best = 0, None
    for wrong, positive in ((truth & ~mask, True), (mask & ~truth, False)):
        labels, count = ndimage.label(wrong)
        if not count:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        if sizes.max() > best_size:
            best_size = int(sizes.max())
            box = ndimage.find_objects(labels)[int(sizes.argmax())]
            best = box, labels[box] == sizes.argmax() + 1, positive
    if best is None:
        return None
    box, error, positive = best
    depth = ndimage.distance_transform_edt(np.pad(error, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    inner = np.unravel_index(depth.argmax(), depth.shape)
    z, y, x = (int(s.start + i) for s, i in zip(box, inner, strict=True))
    return Click((z, y, x), positive)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks, 0 to 1."""
    return float(2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1))
