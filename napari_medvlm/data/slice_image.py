"""Slices of a volume as upright pictures, and the exact way back from their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Heatmap, SliceRef
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.data.window_presets import default_window

PixelBounds = tuple[float, float, float, float]
"""Left, upper, right and lower edge ``x0, y0, x1, y1``; the upper left corner of a picture is 0."""
Part = tuple[tuple[int, int], tuple[int, int]]
"""Voxels along the rows and along the columns of a picture, each from a first one up to a last."""


def thousandths(bounds: PixelBounds, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in thousandths of a picture's width and height, cut to the picture."""
    height, width = size
    x0, y0, x1, y1 = (
        min(max(round(1000 * edge / side), 0), 1000)
        for edge, side in zip(bounds, (width, height) * 2, strict=True)
    )
    return x0, y0, x1, y1


@dataclass(frozen=True, eq=False)
class SliceImage:
    """A slice as a person and a model see it: upright, windowed, with square pixels.

    In axial and coronal pictures the patient's left is on the right; superior is up in sagittal
    and coronal ones, anterior in axial ones, and left in sagittal ones.

    Parameters
    ----------
    pixels
        ``(rows, columns, 3)`` uint8.
    grid
        The volume's.
    slice
        Which slice.
    rows, columns
        The axes of the array ``(z, y, x)`` that run down and to the right.
    flipped
        Whether each of the two runs backwards.
    part
        The voxels along rows and columns that it shows, each half-open; `None`: all.
    windows
        The intensities shown as black and white: one window, or one each for red, green and blue;
        none of a colour image.
    image_name
        Name of the other image that it shows, such as a prior; empty: the image asked about.
    """

    pixels: NDArray[np.uint8]
    grid: Grid
    slice: SliceRef
    rows: int
    columns: int
    flipped: tuple[bool, bool]
    part: Part | None = None
    windows: tuple[Window, ...] = ()
    image_name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def spans(self) -> Part:
        """The voxels along rows and columns that it shows, each half-open."""
        return self.part or ((0, self.grid.shape[self.rows]), (0, self.grid.shape[self.columns]))

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Height and width of a pixel in millimetres."""
        down, right = (
            (last - first) * self.grid.spacing[axis] / length
            for (first, last), axis, length in zip(
                self.spans, (self.rows, self.columns), self.size, strict=True
            )
        )
        return down, right

    def box(self, bounds: PixelBounds) -> Box | None:
        """A box in the picture as a box on the slice, cut to it; `None` if it lies outside."""
        x0, y0, x1, y1 = bounds
        start, stop = np.zeros(3), np.zeros(3)
        start[self.slice.axis], stop[self.slice.axis] = self.slice.index, self.slice.index + 1
        sides = ((self.rows, y0, y1), (self.columns, x0, x1))
        for side, (axis, low, high) in enumerate(sides):
            ends = sorted(self._along(side, at) for at in (low, high))
            start[axis], stop[axis] = np.clip(ends, *self.spans[side])
        if not (stop - start > 1e-6).all():
            return None
        return Box.at_index(self.grid, start, stop)

    def point(self, x: float, y: float) -> Point:
        """A place in the picture, as a place in the patient."""
        zyx = np.zeros(3)
        zyx[self.slice.axis] = self.slice.index
        zyx[self.rows] = self._along(0, y) - 0.5
        zyx[self.columns] = self._along(1, x) - 0.5
        z, y_mm, x_mm = self.grid.to_world(zyx).tolist()
        return Point(position_mm=(z, y_mm, x_mm))

    def pixel_of(self, spl_mm: FloatArray) -> FloatArray:
        """``x, y`` ``(..., 2)`` of places ``(..., 3)`` in patient millimetres, put on the slice."""
        zyx = self.grid.to_index(spl_mm) + 0.5
        placed = []
        for side, axis in ((1, self.columns), (0, self.rows)):
            first, last = self.spans[side]
            along = last - zyx[..., axis] if self.flipped[side] else zyx[..., axis] - first
            placed.append(along * self.size[side] / (last - first))
        return np.stack(placed, axis=-1)

    def cut(self, mask: Mask) -> NDArray[np.bool_]:
        """``(height, width)`` bool: what of a mask on the volume's grid the picture shows."""
        at = self.slice.index - mask.start[self.slice.axis]
        plane = np.zeros((self.grid.shape[self.rows], self.grid.shape[self.columns]), bool)
        if 0 <= at < mask.crop.shape[self.slice.axis]:
            crop = np.take(mask.crop, at, axis=self.slice.axis)
            down, right = mask.slices[self.rows], mask.slices[self.columns]
            plane[down, right] = crop if self.rows < self.columns else crop.T
        plane = _oriented(plane, self.flipped, self.spans)
        rows, columns = (
            np.minimum((np.arange(n) + 0.5) * length / n, length - 1).astype(int)
            for n, length in zip(self.size, plane.shape, strict=True)
        )
        result: NDArray[np.bool_] = plane[np.ix_(rows, columns)]
        return result

    def heatmap(self, values: NDArray[Any]) -> Heatmap:
        """Values ``(height, width)`` over the whole picture, at any resolution, on the slice."""
        crop, start = self._on_slice(np.asarray(values, np.float32))
        return Heatmap(np.clip(crop, 0, 1), start, self.grid.shape)

    def mask(self, inside: NDArray[Any]) -> Mask:
        """What is true in ``(height, width)`` over the whole picture, as a mask on the slice."""
        crop, start = self._on_slice(np.asarray(inside, np.float32))
        own = Mask.of(crop > 0.5)
        if not own.crop.size:
            return Mask.empty(self.grid.shape)
        z, y, x = (a + b for a, b in zip(start, own.start, strict=True))
        return Mask(own.crop, (z, y, x), self.grid.shape)

    def _along(self, side: int, at: float) -> float:
        """An edge in pixels as an edge in voxels along rows (0) or columns (1)."""
        first, last = self.spans[side]
        voxels = at * (last - first) / self.size[side]
        return last - voxels if self.flipped[side] else first + voxels

    def _on_slice(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
        """Values over the picture on the voxels of the slice, and where those begin."""
        (top, bottom), (left, right) = self.spans
        turned = resized(values, (bottom - top, right - left))
        for side in (0, 1):
            if self.flipped[side]:
                turned = np.flip(turned, side)
        plane = turned if self.rows < self.columns else turned.T
        at = self.slice.axis
        start = [0, 0, 0]
        start[at], start[self.rows], start[self.columns] = self.slice.index, top, left
        return np.expand_dims(plane, at), (start[0], start[1], start[2])


def picture_of(
    volume: Volume,
    ref: SliceRef,
    window: Window | tuple[Window, ...] | None = None,
    part: Part | None = None,
) -> SliceImage:
    """A slice of a volume as a picture.

    Parameters
    ----------
    window
        Of a grey image: one window, or one each for red, green and blue; `None`: its own.
    part
        The voxels along the rows and columns of the picture to cut it to, see `part_around`.
    """
    rows, columns, flipped = upright(volume.grid, ref.axis)
    plane = np.take(volume.data, ref.index, axis=ref.axis)
    plane = plane if rows < columns else np.swapaxes(plane, 0, 1)
    plane = _oriented(plane, flipped, part)
    windows: tuple[Window, ...] = ()
    if not volume.is_color:
        windows = window if isinstance(window, tuple) else ()
        windows = windows or (window if isinstance(window, Window) else default_window(volume),)
        plane = np.stack([_shaded(plane, windows[c % len(windows)]) for c in range(3)], axis=2)
    spacing = np.array([volume.spacing[rows], volume.spacing[columns]])
    size = np.maximum(np.round(plane.shape[:2] * spacing / spacing.min()), 1).astype(int)
    square = resized(plane.astype(np.float32), (int(size[0]), int(size[1])))
    pixels = np.ascontiguousarray(np.round(square).astype(np.uint8))
    return SliceImage(pixels, volume.grid, ref, rows, columns, flipped, part, windows)


def part_around(box: Box, grid: Grid, axis: int) -> Part | None:
    """The part of a picture of a slice across an axis that a box takes up; `None`: no part."""
    start, stop = box.bounds(grid)
    rows, columns, _ = upright(grid, axis)
    spans = [(int(start[a]), int(stop[a])) for a in (rows, columns)]
    return (spans[0], spans[1]) if all(low < high for low, high in spans) else None


def _shaded(plane: NDArray[Any], window: Window) -> NDArray[np.float32]:
    low, high = window.limits
    result: NDArray[np.float32] = np.clip(
        (plane.astype(np.float32) - low) * (255 / (high - low)), 0, 255
    )
    return result


def _oriented(plane: NDArray[Any], flipped: tuple[bool, bool], part: Part | None) -> NDArray[Any]:
    """Voxels ``(rows, columns[, c])`` cut to a part and turned as the picture shows them."""
    if part is not None:
        (top, bottom), (left, right) = part
        plane = plane[top:bottom, left:right]
    for side in (0, 1):
        plane = np.flip(plane, side) if flipped[side] else plane
    return plane


def upright(grid: Grid, axis: int) -> tuple[int, int, tuple[bool, bool]]:
    """The array axes that run down and right in an upright picture, and which run backwards."""
    superior, posterior, left = patient_axes(grid.affine)
    across = {superior: (1, 2), posterior: (0, 2), left: (0, 1)}[axis]
    wanted = {0: -1.0, 1: 1.0, 2: 1.0}  # down is inferior or posterior, right is left or posterior
    array_axis = {0: superior, 1: posterior, 2: left}
    rows, columns = (array_axis[patient] for patient in across)
    flips = [
        bool(grid.affine[patient, array_axis[patient]] * wanted[patient] < 0) for patient in across
    ]
    return rows, columns, (flips[0], flips[1])


def resized(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Values ``(height, width[, c])`` at another size, edge on edge."""
    from scipy import ndimage

    if values.shape[:2] == size:
        return values
    factors = [size[0] / values.shape[0], size[1] / values.shape[1], *[1.0] * (values.ndim - 2)]
    result: NDArray[np.float32] = ndimage.zoom(
        values, factors, order=1, mode="nearest", grid_mode=True
    )
    return result
