"""How much two places have in common: intersection over union of boxes, masks and regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, IndexArray
from napari_medvlm.data.prompts.shapes import bounds_of
from napari_medvlm.data.region import Region, SliceRef


def region_iou(a: Region, b: Region, grid: Grid) -> float:
    """Intersection over union, 0 to 1: of the masks if both have one, else of the boxes.

    If one of them was found on a slice, masks are compared on that slice; for boxes see `box_iou`.

    Raises
    ------
    GeometryMismatch
        If a mask has another shape than the grid.
    """
    if a.mask is None or b.mask is None:
        return box_iou(a.box, b.box, grid)
    slices = {region.slice for region in (a, b) if region.slice is not None}
    first, second = a.mask, b.mask
    for mask in (first, second):
        if mask.shape != grid.shape:
            raise GeometryMismatch(
                f"A mask has the shape {mask.shape}, the image {grid.shape}.",
                "Compare masks on the image that they were made on.",
            )
    if len(slices) == 1:
        (ref,) = slices
        first, second = _on_slice(first, ref), _on_slice(second, ref)
    return _mask_iou(first, second)


def box_iou(a: Box, b: Box, grid: Grid) -> float:
    """Intersection over union, 0 to 1, of two boxes as index boxes of a grid, not rounded.

    An oblique box is replaced by the index box around it. If one box is flat, one voxel
    thick along one axis, both are compared in its plane: the other is cut at its slice, so that a
    box drawn on one slice can agree with a box in space. Flat boxes on different slices do not
    overlap; those across different axes are compared in space.
    """
    return float(_IndexBoxes.of([a, b], grid).iou(0, np.array([1]))[0])


def distinct(
    regions: Iterable[Region], limit: float, grid: Grid, most: int | None = None
) -> list[Region]:
    """Regions, the best first, without those that overlap a better one of their phrase.

    Non-maximum suppression by boxes, as detectors do it; a region without a score counts as 1.

    Parameters
    ----------
    limit
        The intersection over union, 0 to 1, above which a region is left out.
    most
        How many regions of a phrase to return, at most; `None`: all.

    Raises
    ------
    InvalidPrompt
        If the limit lies outside of that.
    """
    if not 0 <= limit <= 1:
        raise InvalidPrompt(f"There is no overlap of {limit:g}.", "Choose a number from 0 to 1.")
    ordered = sorted(regions, key=lambda r: -(1.0 if r.score is None else r.score))
    boxes = _IndexBoxes.of([region.box for region in ordered], grid)
    of_phrase: dict[str, list[int]] = {}
    for number, region in enumerate(ordered):
        of_phrase.setdefault(region.phrase, []).append(number)
    chosen: list[int] = []
    for numbers in of_phrase.values():
        left, last = np.array(numbers), len(chosen) + (len(ordered) if most is None else most)
        while left.size and len(chosen) < last:
            chosen.append(int(left[0]))
            left = left[1:][boxes.iou(chosen[-1], left[1:]) <= limit]
    return [ordered[number] for number in sorted(chosen)]


@dataclass(frozen=True, eq=False)
class _IndexBoxes:
    """Boxes in indices of a grid, to be compared many at a time.

    Attributes
    ----------
    low, high
        ``(n, 3)``, edge to edge.
    start, stop
        ``(n, 3)``, the voxels whose centres they hold.
    flat
        ``(n,)``: the axis along which a box is one voxel thick; -1 if it is not flat.
    """

    low: FloatArray
    high: FloatArray
    start: IndexArray
    stop: IndexArray
    flat: IndexArray

    @classmethod
    def of(cls, boxes: Sequence[Box], grid: Grid) -> _IndexBoxes:
        """Boxes at any angle as the index boxes around them."""
        corner = np.array([box.corner_mm for box in boxes], np.float64).reshape(-1, 1, 3)
        edges = np.array([box.edges_mm for box in boxes], np.float64).reshape(-1, 3, 3)
        corners = grid.to_index(corner + np.array(list(np.ndindex(2, 2, 2))) @ edges)
        start, stop = bounds_of(corners, grid)
        thick = stop - start
        flat = np.where((thick == 1).sum(axis=1) == 1, thick.argmin(axis=1), -1)
        return cls(corners.min(axis=1), corners.max(axis=1), start, stop, flat)

    def iou(self, index: int, others: IndexArray) -> FloatArray:
        """``(m,)`` intersections over union of a box with ``(m,)`` others, see `box_iou`."""
        flat = np.where(self.flat[others] < 0, self.flat[index], self.flat[others])
        flat = np.where((self.flat[index] < 0) | (self.flat[index] == flat), flat, -1)
        rows, across = np.arange(len(others)), flat[:, None] == np.arange(3)
        is_flat = self.flat[index] >= 0
        at = self.start[index][flat] if is_flat else self.start[others][rows, flat]
        crossed = (self.start[index][flat] <= at) & (at < self.stop[index][flat])
        crossed &= (self.start[others][rows, flat] <= at) & (at < self.stop[others][rows, flat])
        common = np.minimum(self.high[index], self.high[others])
        common = np.maximum(common - np.maximum(self.low[index], self.low[others]), 0)
        shared = np.where(across, 1, common).prod(axis=1)
        union = np.where(across, 1, self.high[index] - self.low[index]).prod(axis=1) - shared
        union = union + np.where(across, 1, self.high[others] - self.low[others]).prod(axis=1)
        iou = np.divide(shared, union, out=np.zeros(len(others)), where=union > 0)
        return np.where((flat < 0) | crossed, iou, 0.0)


def _on_slice(mask: Mask, ref: SliceRef) -> Mask:
    """What is inside a mask on one slice."""
    at = ref.index - mask.start[ref.axis]
    if not 0 <= at < mask.crop.shape[ref.axis]:
        return Mask.empty(mask.shape)
    start = list(mask.start)
    start[ref.axis] = ref.index
    crop = np.take(mask.crop, [at], axis=ref.axis)
    return Mask(crop, (start[0], start[1], start[2]), mask.shape)


def _mask_iou(a: Mask, b: Mask) -> float:
    low, high = np.maximum(a.start, b.start), np.minimum(a.stop, b.stop)
    shared = 0
    if (low < high).all():
        parts = [
            mask.crop[tuple(map(slice, low - mask.start, high - mask.start))] for mask in (a, b)
        ]
        shared = int(np.count_nonzero(parts[0] & parts[1]))
    union = a.voxels + b.voxels - shared
    return shared / union if union else 0.0
