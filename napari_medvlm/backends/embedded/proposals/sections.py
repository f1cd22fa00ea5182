"""From the section of an object on one slice to the object."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.embedded.proposals.bounds import best_within, starts_in
from napari_medvlm.backends.embedded.proposals.windows import to_image, to_level, window
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    components_of,
    depth_mm,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Level, Levels
from napari_medvlm.data.mask import bounding_box

WIDER = 0.2
"""How far beyond its section an object may go on other slices, in parts of the section's size."""
LONGER = 1.2
"""How far it may go across the slices, in parts of the section's half diameter."""
VOXELS = 60_000


def section_in(levels: Levels, bound: BoolArray, axis: int, line: IndexArray | None) -> BoolArray:
    """The section ``(z, y, x)`` bool of the object inside a bound on one slice of the image.

    Parameters
    ----------
    bound
        ``(z, y, x)`` bool, on one slice along ``axis``.
    line
        Voxels ``(N, 3)`` in the object, if some are known.
    """
    low, high = _ends(bound)
    margin = np.maximum((high - low) // 3, 3)
    margin[axis] = 0
    level = window(levels, low - margin, high + margin, 0.0, VOXELS)
    inside = to_level(bound, level)
    if not inside.any():
        return bound
    starts = [level.index_of(line)] if line is not None else starts_in(level, inside)
    best = best_within(level, inside, starts)
    result = np.zeros_like(bound)
    if best is None:
        return bound
    result[level.box] = to_image(best, level)
    return result & bound


def extended(levels: Levels, section: BoolArray, axis: int) -> BoolArray:
    """The object ``(z, y, x)`` bool of which ``section`` is the section on one slice."""
    low, high = _ends(section)
    spacing = np.array(levels.spacing)
    sides = (high - low) * spacing
    across = np.delete(sides, axis)
    radius = 0.5 * float(np.sqrt(np.prod(across)))
    reach = LONGER * radius
    margin = np.ceil(WIDER * sides / spacing).astype(int) + 2
    margin[axis] = int(np.ceil(reach / spacing[axis]))
    level = window(levels, low - margin, high + margin, 0.0, VOXELS)
    seed = to_level(section, level)
    if not seed.any():
        return section
    offsets = np.arange(level.values.shape[axis]) - int(np.argwhere(seed)[0][axis])
    allowed = _like(level, seed, axis)
    flat: BoolArray = np.asarray(seed.any(axis=axis, keepdims=True))
    outside = depth_mm(~flat, level.spacing)
    inside = depth_mm(np.repeat(flat, 3, axis=axis), level.spacing)
    inside = np.take(inside, [1], axis=axis)
    signed = np.where(flat, -inside, outside)
    for k, offset in enumerate(offsets):
        plane = tuple(slice(k, k + 1) if a == axis else slice(None) for a in range(3))
        away = abs(float(offset)) * level.spacing[axis]
        share = np.sqrt(max(1 - (away / max(reach, 1e-6)) ** 2, 0.0))
        limit = WIDER * radius - (1 - share) * radius if away < reach else -np.inf
        allowed[plane] &= signed <= limit
        if offset == 0:
            allowed[plane] = seed[plane]
    part = components_of(allowed, np.argwhere(seed))
    result = section.copy()
    result[level.box] |= to_image(part, level)
    plane = tuple(slice(low[a], high[a]) if a == axis else slice(None) for a in range(3))
    result[plane] = section[plane]
    return result


def _like(level: Level, seed: BoolArray, axis: int) -> BoolArray:
    """Where the image looks more like the section than like what is around it on its slice."""
    k = int(np.argwhere(seed)[0][axis])
    inside, values = np.take(seed, k, axis), np.take(level.values, k, axis)
    around = ~inside
    mid = float(np.median(values[inside]))
    out = float(np.median(values[around])) if around.any() else mid
    half = (mid + out) / 2
    if mid == out:
        return np.ones_like(seed)
    return level.values > half if mid > out else level.values < half


def _ends(mask: BoolArray) -> tuple[IndexArray, IndexArray]:
    box = bounding_box(mask)
    return np.array([s.start for s in box]), np.array([s.stop for s in box])
