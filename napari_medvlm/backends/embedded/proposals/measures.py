"""What is measured of a region to judge whether it is the thing that was clicked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    depth_mm,
    grown,
    shrunk,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Level
from napari_medvlm.data.mask import bounding_box

NAMES = (
    "contrast", "outside", "inside", "separation", "sharpness", "weakest", "calm",
    "central", "compact", "thick", "open", "volume", "voxels", "typical", "grow", "shrink",
)  # fmt: skip
"""The measures, in order."""
CLICK_NAMES = (*NAMES, "nudge", "drop", "step")
"""The measures of a proposal: three more.

``nudge`` is the distance in mm between the click and the seed of the region, ``drop`` the
difference of their intensities and ``step`` the range of intensities around the click, both in
parts of the contrast.
"""


def measured(
    level: Level,
    mask: BoolArray,
    at: IndexArray,
    typical: float,
    change: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float64]:
    """The measures of a region, as `NAMES` orders them.

    Parameters
    ----------
    mask
        ``(z, y, x)`` on the level, not empty.
    at
        ``(N, 3)`` voxels of the seeds.
    typical
        The intensity of the seeds.
    change
        How much, as logarithms of factors, the region grows and shrinks when its threshold differs.
    """
    box = bounding_box(mask)
    crop = tuple(
        slice(max(s.start - 3, 0), min(s.stop + 3, n)) for s, n in zip(box, mask.shape, strict=True)
    )
    opened = _open_share(level, mask)
    at = at[mask[tuple(at.T)]]
    mask, values, steep = mask[crop], level.values[crop], level.gradient[crop]
    at = at - [s.start for s in crop]
    first = grown(mask)
    ring = grown(first) & ~first
    ring = ring if ring.any() else first & ~mask
    core = shrunk(mask)
    inner = mask & ~core
    core = core if np.count_nonzero(core) > 8 else mask
    middle = float(np.median(values[core]))
    inside = values[mask]
    outside = values[ring] if ring.any() else np.array([middle])
    around = float(outside.mean())
    contrast = max(abs(middle - around), 1e-6)
    sign = np.sign(middle - around) or 1.0
    half = (middle + around) / 2
    border = steep[inner | (first & ~mask)]
    border = border if border.size else steep.ravel()
    edge = float(border.mean()) * min(level.spacing)
    return np.array([
        np.log(contrast),
        float(np.mean((outside - half) * sign < 0)),
        float(np.mean((inside - half) * sign > 0)),
        contrast / (float(inside.std()) + float(outside.std()) + 1e-6),
        edge / contrast,
        float(np.quantile(border, 0.2)) * min(level.spacing) / contrast,
        float(steep[core].mean()) * min(level.spacing) / max(edge, 1e-9),
        *_shape_measures(level, mask, at, opened),
        min(abs(typical - middle) / contrast, 20.0),
        *change,
    ])  # fmt: skip


def _shape_measures(
    level: Level, mask: BoolArray, at: IndexArray, opened: float
) -> tuple[float, ...]:
    """The measures ``central`` to ``voxels`` of a cropped mask; ``at`` are its seeds."""
    depth = depth_mm(mask, level.spacing)
    deepest = float(depth.max())
    voxels = int(np.count_nonzero(mask))
    z, y, x = level.spacing
    volume = voxels * z * y * x
    area = _area(mask, level.spacing)
    return (
        float(depth[tuple(at.T)].max(initial=0.0)) / deepest,
        (36 * np.pi * volume**2) ** (1 / 3) / max(area, 1e-9),
        deepest / (volume * 3 / (4 * np.pi)) ** (1 / 3),
        opened,
        np.log(volume),
        np.log(voxels),
    )


def _area(mask: BoolArray, spacing: tuple[float, float, float]) -> float:
    total = 0.0
    for axis in range(3):
        face = float(np.prod(spacing)) / spacing[axis]
        pad = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        wide = np.pad(mask, pad)
        total += face * int(np.count_nonzero(np.diff(wide.view(np.int8), axis=axis)))
    return float(total)


def _open_share(level: Level, mask: BoolArray) -> float:
    """The share of the level's faces, where the image goes on beyond it, that the mask covers."""
    touched = 0
    for axis in range(3):
        n = mask.shape[axis]
        if n < 3:
            continue
        for side in (0, n - 1):
            face = np.take(mask, side, axis)
            touched += int(np.count_nonzero(face))
    total = int(np.count_nonzero(mask & ~shrunk(mask))) + touched
    return touched / max(total, 1)
