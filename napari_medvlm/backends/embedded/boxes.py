"""Boxes: what fills a box, told from what is around it by intensity and by place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.levels import Box, Level, Levels
from napari_medvlm.backends.embedded.morph import BoolArray, shrunk
from napari_medvlm.backends.embedded.seeds import IndexArray, Said, Seed

BINS = 48
ROUNDS = 3
MARGIN = 0.25
"""How much of a box's size is looked at around it."""
BEYOND = 0.5
"""How much of its size an object may go on beside the box on other slices than the box's."""
PLACE = 1.5
"""How much the place in the box counts beside the intensity."""
CENTRAL = 0.55
"""Share of the box's radius that is taken for the object at first."""


def box_seeds(levels: Levels, said: Said) -> tuple[BoolArray, list[Seed]]:
    """What the boxes hold, as a mask of the image, and the seeds that the flat ones give."""
    full = np.zeros(levels.shape, bool)
    seeds = []
    for (start, stop), flat in zip(said.bounds, said.flat, strict=True):
        inside = box_of(start, stop)
        mask = fill_of(levels, start, stop, flat)
        full[inside] |= mask
        if flat is not None:
            core = shrunk_on(mask, flat)
            voxels = np.argwhere(core if core.any() else mask) + start
            seeds.append(Seed(voxels, positive=True))
    return full, seeds


def bounded(full: BoolArray, said: Said, filled: BoolArray) -> BoolArray:
    """The object kept to its boxes: as they say on their slices, and near them on others."""
    for (start, stop), flat in zip(said.bounds, said.flat, strict=True):
        if flat is None:
            continue
        size = (stop - start) * BEYOND
        size[flat] = max(full.shape)
        allowed = np.zeros_like(full)
        low = np.maximum(start - size, 0).astype(int)
        high = np.minimum(stop + size, full.shape).astype(int)
        allowed[box_of(low, high)] = True
        full &= allowed
        plane = tuple(slice(start[a], stop[a]) if a == flat else slice(None) for a in range(3))
        full[plane] = filled[plane]
    return full


def box_of(start: IndexArray, stop: IndexArray) -> Box:
    """The slices of a half-open index box."""
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return z, y, x


def fill_of(levels: Levels, start: IndexArray, stop: IndexArray, flat: int | None) -> BoolArray:
    """The object in a box: ``(z, y, x)`` bool in the box, never empty.

    The middle is taken for the object and the surroundings for what is not; the intensities of both
    say what else belongs, and so on a few times, as GrabCut does with colours.
    """
    margin = np.maximum(np.ceil((stop - start) * MARGIN).astype(int), 2)
    if flat is not None:
        margin[flat] = 0
    outer = box_of(np.maximum(start - margin, 0), np.minimum(stop + margin, levels.shape))
    level = levels.cut(outer)
    radius = _radius(level, start, stop, flat)
    inside = np.max(np.abs(radius), axis=0) <= 1
    middle = np.sqrt((radius**2).sum(axis=0))
    mask = middle <= CENTRAL
    for _ in range(ROUNDS):
        odds = _log_odds(level.values, mask if mask.any() else inside, ~inside)
        mask = (odds + PLACE * (0.8 - middle) > 0) & inside
    mask = _piece_in_the_middle(mask, middle) if mask.any() else inside & (middle <= 0.8)
    return _in_box(mask, level, start, stop)


def shrunk_on(mask: BoolArray, flat: int) -> BoolArray:
    """The mask without its border, on the slice that it lies on."""
    doubled = np.repeat(mask, 3, axis=flat)
    index = tuple(slice(1, 2) if a == flat else slice(None) for a in range(3))
    return shrunk(doubled)[index]


def _radius(
    level: Level, start: IndexArray, stop: IndexArray, flat: int | None
) -> NDArray[np.float64]:
    """Place of each voxel in the box along each axis: 0 in the middle, 1 at the faces."""
    axes = []
    for axis, (part, factor) in enumerate(zip(level.box, level.factors, strict=True)):
        centers = part.start + (np.arange(level.values.shape[axis]) + 0.5) * factor - 0.5
        middle, half = (start[axis] + stop[axis] - 1) / 2, (stop[axis] - start[axis]) / 2
        axes.append((centers - middle) / half if axis != flat else np.zeros_like(centers))
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.stack(np.broadcast_arrays(*grid))


def _log_odds(
    values: NDArray[np.float32], inside: BoolArray, outside: BoolArray
) -> NDArray[np.float64]:
    """How much more likely each intensity is in the object than around it."""
    low, high = float(values.min()), float(values.max())
    bins = ((values - low) * ((BINS - 1) / max(high - low, 1e-9))).astype(np.int64)
    counts = [np.bincount(bins[part], minlength=BINS).astype(float) for part in (inside, outside)]
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    shares = [np.convolve(np.pad(c, 2, mode="edge"), kernel, "valid") for c in counts]
    ratio = [(s + 1e-3 * max(s.sum(), 1)) / max(s.sum(), 1) for s in shares]
    odds: NDArray[np.float64] = np.log(ratio[0] / ratio[1])[bins]
    return odds


def _piece_in_the_middle(mask: BoolArray, middle: NDArray[np.float64]) -> BoolArray:
    """The piece with most voxels near the middle, without holes."""
    from scipy import ndimage

    pieces, _ = ndimage.label(mask)
    weight = np.bincount(pieces.ravel(), np.clip(1.2 - middle, 0, None).ravel())
    weight[0] = 0
    chosen: BoolArray = ndimage.binary_fill_holes(pieces == int(np.argmax(weight)))
    return chosen


def _in_box(mask: BoolArray, level: Level, start: IndexArray, stop: IndexArray) -> BoolArray:
    for axis, factor in enumerate(level.factors):
        mask = np.repeat(mask, factor, axis=axis) if factor > 1 else mask
    offset = start - [part.start for part in level.box]
    return mask[box_of(offset, offset + stop - start)]
