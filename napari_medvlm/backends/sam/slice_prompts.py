"""Convert the prompts of an object to prompts on the slices of one plane.

For models of images. Every place is read on the plane's own images (`slicing.picture_of`), in
the numbers that such models use: the centre of the upper left pixel is ``x, y = 0, 0``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.geometry.grid import Grid, Index
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import (
    Box,
    IndexArray,
    InitialMask,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
)
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import PixelBounds, SliceImage

POINTS_OF_A_STROKE = 8
"""How many points represent a stroke, or for an area of what is not the object, on a slice."""
CLEARLY_THICKER = 1.5
"""How much longer than wide voxels are where the file's own slices are the plane to work in."""


@dataclass(eq=False)
class SlicePrompts:
    """The prompts on one slice.

    Parameters
    ----------
    points, labels
        ``(x, y)`` of places, and for each 1 (in the object) or 0 (not in it).
    box
        ``x0, y0, x1, y1`` of the first and the last pixel of a box around the object.
    area
        ``(height, width)`` bool; what was outlined as the object.
    erased
        ``(height, width)`` bool; what was outlined as not the object.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    box: PixelBounds | None = None
    area: NDArray[np.bool_] | None = None
    erased: NDArray[np.bool_] | None = None

    @property
    def locates_object(self) -> bool:
        """Whether a prompt locates the object: a positive point, a box or an area."""
        return self.box is not None or self.area is not None or 1 in self.labels

    @property
    def is_single_click(self) -> bool:
        """Whether it is a single point, whose extent is ambiguous."""
        return self.box is None and self.area is None and self.labels == [1]

    def consistent(self, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask ``(height, width)`` without what was outlined as not the object."""
        return inside if self.erased is None else inside & ~self.erased


@dataclass(eq=False)
class ObjectOnSlices:
    """The prompts of an object on the slices of a plane.

    Parameters
    ----------
    slices
        The prompts on slices, by index.
    first, last
        The slices between which the object lies: all, or those of a box with depth.
    known_masks
        ``(height, width)`` masks of slices on which the object is known, by index.
    stays
        Whether slices without prompts keep their mask.
    """

    slices: dict[int, SlicePrompts]
    first: int
    last: int
    known_masks: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    stays: bool = False

    @property
    def anchors(self) -> list[int]:
        """Indices of the slices whose prompts locate the object, ascending."""
        return sorted(index for index, prompts in self.slices.items() if prompts.locates_object)


def since_last_mask(prompts: Sequence[Prompt]) -> tuple[InitialMask | None, tuple[Prompt, ...]]:
    """The last initial mask, and the prompts after it."""
    masks = [k for k, prompt in enumerate(prompts) if isinstance(prompt, InitialMask)]
    if not masks:
        return None, tuple(prompts)
    start = prompts[masks[-1]]
    assert isinstance(start, InitialMask)
    return start, tuple(prompts[masks[-1] + 1 :])


def plane_of(prompts: Sequence[Prompt], grid: Grid) -> int:
    """The axis of the array across which to slice.

    The one across which most boxes, lassos and strokes were drawn, the earliest of equals. Where
    only points were given: the axis of the only slice, else that along which voxels are clearly
    longest, as the file's own slices are sharpest, else the patient's, for axial slices.
    """
    if 1 in grid.shape:
        return grid.shape.index(1)
    votes = Counter(axis for prompt in prompts if (axis := _drawn_across(prompt, grid)) is not None)
    if votes:
        return votes.most_common(1)[0][0]
    longest = int(np.argmax(grid.spacing))
    others = [mm for axis, mm in enumerate(grid.spacing) if axis != longest]
    if grid.spacing[longest] >= CLEARLY_THICKER * max(others):
        return longest
    return patient_axes(grid.affine)[0]


def on_slices(
    prompts: Sequence[Prompt], frame: SliceImage, start: Mask | None = None
) -> ObjectOnSlices:
    """Prompts as they are seen on the images of a plane.

    Parameters
    ----------
    frame
        The image of any slice of the plane.
    start
        The mask that the prompts correct. On a slice with prompts it is an area that was outlined,
        unless a new one was. If it has one slice only, the object is known there and open
        elsewhere; if more, slices without prompts stay as they are.

    Raises
    ------
    InvalidPrompt
        If there is neither a positive prompt nor a mask.
    """
    reader = _Reader(frame)
    for prompt in prompts:
        reader.read(prompt)
    if start is not None and start.crop.size:
        reader.read_start(start)
    elif not reader.result.anchors:
        raise InvalidPrompt(
            "All prompts are negative.", "Add a point, box, scribble, lasso or line on it."
        )
    return reader.result


class _Reader:
    """Puts prompts on the slices of a plane, one after the other."""

    def __init__(self, frame: SliceImage) -> None:
        self._frame, self._grid, self._axis = frame, frame.grid, frame.slice.axis
        self.result = ObjectOnSlices({}, 0, self._grid.shape[self._axis] - 1)

    def read(self, prompt: Prompt) -> None:
        """Add a prompt."""
        match prompt:
            case Point():
                self._points(self._grid.to_index([prompt.position_mm]), prompt.positive)
            case Scribble():
                self._stroke(self._inside(prompt.points_mm), prompt.positive)
            case Line():
                self._stroke(prompt.voxels(self._grid).astype(float), prompt.positive)
            case Box():
                self._box(prompt)
            case Lasso():
                self._lasso(prompt)

    def read_start(self, start: Mask) -> None:
        """Add the mask that was there before."""
        first, depth = start.start[self._axis], start.crop.shape[self._axis]
        for index in range(first, first + depth):
            prompts = self.result.slices.get(index)
            if prompts is None:
                if depth == 1:
                    self.result.known_masks[index] = self._picture(index).cut(start)
            elif prompts.area is None and prompts.box is None:
                seen = self._picture(index).cut(start)
                prompts.area = seen if seen.any() else None
        self.result.stays = depth > 1

    def _inside(self, points_mm: Any) -> NDArray[np.float64]:
        """Places ``(n, 3)`` as indices, in their order, without those outside the image."""
        zyx = np.round(self._grid.to_index(np.reshape(points_mm, (-1, 3))), 3)
        return zyx[self._grid.contains(zyx)]

    def _slice_prompts(self, index: int) -> SlicePrompts:
        return self.result.slices.setdefault(index, SlicePrompts())

    def _picture(self, index: int) -> SliceImage:
        return replace(self._frame, slice=SliceRef(self._axis, index))

    def _points(self, zyx: NDArray[Any], positive: bool) -> None:
        pixels = self._frame.pixel_of(self._grid.to_world(zyx)) - 0.5
        depths = np.clip(
            np.floor(zyx[:, self._axis] + 0.5), 0, self._grid.shape[self._axis] - 1
        ).astype(int)
        for depth, (x, y) in zip(depths.tolist(), pixels.tolist(), strict=True):
            prompts = self._slice_prompts(depth)
            prompts.points.append((x, y))
            prompts.labels.append(int(positive))

    def _stroke(self, zyx: NDArray[Any], positive: bool) -> None:
        """Points spread evenly over what a stroke has on each slice."""
        depth = np.floor(zyx[:, self._axis] + 0.5).astype(int)
        for index in np.unique(depth):
            own = zyx[depth == index]
            spread = np.linspace(0, len(own) - 1, min(len(own), POINTS_OF_A_STROKE))
            self._points(own[np.round(spread).astype(int)], positive)

    def _box(self, box: Box) -> None:
        start, stop = box.bounds(self._grid)
        if not (stop > start).all():
            return
        middle, flat = (start + stop - 1) / 2, _drawn_across(box, self._grid)
        first, last = int(start[self._axis]), int(stop[self._axis]) - 1
        if not box.positive:
            self._not_in(_block(start, stop, self._grid.shape))
        elif flat is not None and flat != self._axis:
            self._points(np.round(middle)[None], positive=True)
        else:
            corners = np.array([start - 0.5, stop - 0.5])
            (x0, x1), (y0, y1) = np.sort(self._frame.pixel_of(self._grid.to_world(corners)).T)
            prompts = self._slice_prompts((first + last) // 2)
            prompts.box, prompts.area = (x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), None
            if last > first:
                self.result.first, self.result.last = first, last

    def _lasso(self, lasso: Lasso) -> None:
        voxels = lasso.voxels(self._grid)
        if not len(voxels):
            return
        if _drawn_across(lasso, self._grid) != self._axis:
            if lasso.positive:
                self._stroke(voxels.astype(float), positive=True)
            else:
                self._not_in(_of_voxels(voxels, self._grid.shape))
            return
        depth = int(np.median(voxels[:, self._axis]))
        voxels[:, self._axis] = depth
        mask = _of_voxels(voxels, self._grid.shape)
        if lasso.positive:
            prompts = self._slice_prompts(depth)
            prompts.area = self._picture(depth).cut(mask)
            prompts.box = bounds_of(prompts.area)
        else:
            self._not_in(mask)

    def _not_in(self, mask: Mask) -> None:
        """Points that say no, spread over an area, which is also cut out of what is found."""
        voxels = np.argwhere(mask.crop) + mask.start
        self._stroke(voxels.astype(float), positive=False)
        for index in np.unique(voxels[:, self._axis]).tolist():
            prompts, area = self._slice_prompts(index), self._picture(index).cut(mask)
            prompts.erased = area if prompts.erased is None else prompts.erased | area


def bounds_of(inside: NDArray[np.bool_]) -> PixelBounds | None:
    """``x0, y0, x1, y1`` of the first and the last pixel of a mask; `None` if it is empty."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def _drawn_across(prompt: Prompt, grid: Grid) -> int | None:
    """The axis of the array that a prompt was drawn across, if it was drawn on one plane."""
    match prompt:
        case Box():
            start, stop = prompt.bounds(grid)
            return int(np.argmin(stop - start)) if prompt.is_flat(grid) else None
        case Lasso():
            return _thinnest(np.ptp(grid.to_index(np.array(prompt.vertices_mm)), axis=0))
        case Scribble():
            extent = np.ptp(grid.to_index(np.array(prompt.points_mm)), axis=0)
            return _thinnest(extent) if extent.min() < 0.5 else None
        case Line():
            extent = np.ptp(prompt.voxels(grid), axis=0)
            return _thinnest(extent) if extent.min() < 1 else None
        case _:
            return None


def _thinnest(extent: NDArray[np.float64]) -> int | None:
    """The axis along which something has the least extent, if only one has."""
    thin = np.flatnonzero(extent < extent.min() + 1e-3)
    return int(thin[0]) if len(thin) == 1 else None


def _block(start: IndexArray, stop: IndexArray, shape: Index) -> Mask:
    z, y, x = start.tolist()
    return Mask(np.ones(stop - start, bool), (z, y, x), shape)


def _of_voxels(voxels: IndexArray, shape: Index) -> Mask:
    """The mask of voxels ``(n, 3)``."""
    low = voxels.min(axis=0)
    crop = np.zeros(voxels.max(axis=0) - low + 1, bool)
    crop[tuple((voxels - low).T)] = True
    z, y, x = low.tolist()
    return Mask(crop, (z, y, x), shape)
