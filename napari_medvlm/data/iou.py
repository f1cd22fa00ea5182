"""How much two places have in common: intersection over union of boxes, masks and regions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
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
    low, high = np.stack([_extent(box, grid) for box in (a, b)], axis=1)
    flat = [ref for ref in (_slice_of(a, grid), _slice_of(b, grid)) if ref is not None]
    axes = [0, 1, 2]
    if len({ref.axis for ref in flat}) == 1:
        if not (_crosses(a, flat[0], grid) and _crosses(b, flat[0], grid)):
            return 0.0
        axes.remove(flat[0].axis)
    sizes = np.prod((high - low)[:, axes], axis=1)
    common = (high.min(axis=0) - low.max(axis=0))[axes]
    shared = float(np.prod(np.maximum(common, 0)))
    union = float(sizes.sum()) - shared
    return shared / union if union > 0 else 0.0


def distinct(regions: Iterable[Region], limit: float, grid: Grid) -> list[Region]:
    """Regions, the best first, without those that overlap a better one of their phrase.

    Non-maximum suppression by boxes, as detectors do it; a region without a score counts as 1.

    Parameters
    ----------
    limit
        The intersection over union, 0 to 1, above which a region is left out.

    Raises
    ------
    InvalidPrompt
        If the limit lies outside of that.
    """
    if not 0 <= limit <= 1:
        raise InvalidPrompt(f"There is no overlap of {limit:g}.", "Choose a number from 0 to 1.")
    chosen: list[Region] = []
    for region in sorted(regions, key=lambda r: -(1.0 if r.score is None else r.score)):
        better = (other for other in chosen if other.phrase == region.phrase)
        if all(box_iou(region.box, other.box, grid) <= limit for other in better):
            chosen.append(region)
    return chosen


def _extent(box: Box, grid: Grid) -> FloatArray:
    """``(2, 3)``: lowest and highest index of the box around a box, edge to edge."""
    corners = grid.to_index(box.corners())
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def _slice_of(box: Box, grid: Grid) -> SliceRef | None:
    """The slice of a flat box."""
    if not box.is_flat(grid):
        return None
    start, stop = box.bounds(grid)
    axis = int(np.argmin(stop - start))
    return SliceRef(axis, int(start[axis]))


def _crosses(box: Box, ref: SliceRef, grid: Grid) -> bool:
    start, stop = box.bounds(grid)
    return bool(start[ref.axis] <= ref.index < stop[ref.axis])


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
