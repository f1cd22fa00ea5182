"""Pictures and volumes in which a place, or everything, is hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import box_iou
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.slice_image import PixelBounds, SliceImage
from napari_medvlm.data.volume import Volume

GREY = 127
TRIES = 64
"""So many places are tried for a box that must not touch others."""


def hidden_in(image: SliceImage, boxes: Sequence[Box]) -> SliceImage:
    """A picture with the place of each box filled with the mean of what is around it.

    A box on one slice is hidden in the pictures of all slices across that axis: what it holds may
    be seen on its neighbours as well.
    """
    pixels = image.pixels.copy()
    tiles = image.tiles if isinstance(image, Montage) else ()
    shown = [(t.picture, t.x, t.y) for t in tiles] or [(image, 0, 0)]
    for part, x, y in shown:
        for box in boxes:
            rectangle = _rectangle(part, box)
            if rectangle is not None:
                x0, y0, x1, y1 = rectangle
                slices = slice(y0 + y, y1 + y), slice(x0 + x, x1 + x)
                _fill(pixels, slices)
    return replace(image, pixels=pixels)


def hidden_in_volume(volume: Volume, boxes: Sequence[Box]) -> Volume:
    """A volume with the voxels of each box filled with the mean of what is around them."""
    data = np.array(volume.data)
    for box in boxes:
        start, stop = box.bounds(volume.grid)
        if (stop > start).all():
            _fill(data, tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True)))
    return replace(volume, data=data)


def blank(image: SliceImage) -> SliceImage:
    """A picture of the same size that is grey all over."""
    return replace(image, pixels=np.full_like(image.pixels, GREY))


def blank_volume(volume: Volume) -> Volume:
    """A volume of the same shape that is the same everywhere."""
    middle = np.array(np.median(volume.intensity())).astype(volume.data.dtype)
    return replace(volume, data=np.full_like(volume.data, middle))


def elsewhere(boxes: Sequence[Box], grid: Grid, seed: str) -> tuple[Box, ...]:
    """For each box one of equal size at a random place that touches none of them.

    A box on one slice stays on it. Always the same for the same seed; nothing if there is no room.
    """
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    random = np.random.default_rng(int.from_bytes(digest))
    shifted = [_elsewhere(box, boxes, grid, random) for box in boxes]
    return tuple(box for box in shifted if box is not None) if all(shifted) else ()


def _elsewhere(
    box: Box, others: Sequence[Box], grid: Grid, random: np.random.Generator
) -> Box | None:
    start, stop = box.bounds(grid)
    size = stop - start
    if (size <= 0).any():
        return None
    for _ in range(TRIES):
        low = random.integers(0, np.array(grid.shape) - size + 1)
        if box.is_flat(grid):
            low[np.argmin(size)] = start[np.argmin(size)]
        shifted = Box.at_index(grid, low, low + size)
        if all(box_iou(shifted, other, grid) == 0 for other in others):
            return shifted
    return None


def _rectangle(image: SliceImage, box: Box) -> tuple[int, int, int, int] | None:
    xy = image.pixel_of(box.corners())
    bounds: PixelBounds = (*np.floor(xy.min(axis=0) + 0.01), *np.ceil(xy.max(axis=0) - 0.01))
    height, width = image.size
    x0, x1 = (int(np.clip(v, 0, width)) for v in (bounds[0], bounds[2]))
    y0, y1 = (int(np.clip(v, 0, height)) for v in (bounds[1], bounds[3]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _fill(values: NDArray[Any], slices: tuple[slice, ...]) -> None:
    """Fill a place with the mean of a rim around it, as wide as a tenth of it."""
    rim = tuple(
        slice(max(s.start - r, 0), s.stop + r)
        for s in slices
        for r in (max((s.stop - s.start) // 10, 1),)
    )
    around = np.ones(values[rim].shape[: len(slices)], bool)
    inner = (slice(s.start - w.start, s.stop - w.start) for s, w in zip(slices, rim, strict=True))
    around[tuple(inner)] = False
    rim_values = values[rim][around]
    mean = rim_values.mean(axis=0) if rim_values.size else values.mean()
    values[slices] = np.asarray(mean).astype(values.dtype)
