"""Strokes of napari's brush, eraser, fill bucket and polygon as voxels of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.display import Reslice, is_aligned, patient_axes
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import BoolArray, Mask

HISTORY_ITEM = 4
"""Length of napari's record of a masked change: slices, mask, old values, new value."""

Box = tuple[slice, slice, slice]


class PaintedReslice(Reslice):
    """Labels on the display grid of an oblique volume, as napari paints on them.

    napari writes into what it shows; the voxels of the volume are written by the session, which
    gets the stroke from napari's paint event.
    """

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore what napari writes."""


@dataclass(frozen=True)
class Stroke:
    """Voxels of the display grid that were painted.

    Attributes
    ----------
    box
        The box ``(z, y, x)`` of the display grid that holds them.
    painted
        ``(z, y, x)`` bool: the painted voxels of the box.
    values
        ``(z, y, x)``: the label value painted last on each.
    """

    box: Box
    painted: BoolArray
    values: NDArray[Any]

    @classmethod
    def of(cls, item: Sequence[Any], dtype: Any) -> Stroke:
        """The stroke of the value of napari's paint event.

        Parameters
        ----------
        item
            Its changes, oldest first: either slices, mask (None: all), old values and new value, or
            indices, old values and new values.
        dtype
            Type of the labels.
        """
        boxes = [_box_of(change) for change in item]
        z, y, x = (
            slice(min(part.start for part in axis), max(part.stop for part in axis))
            for axis in zip(*boxes, strict=True)
        )
        shape = [part.stop - part.start for part in (z, y, x)]
        painted, values = np.zeros(shape, bool), np.zeros(shape, dtype)
        for change, own in zip(item, boxes, strict=True):
            inside = tuple(
                slice(a.start - b.start, a.stop - b.start)
                for a, b in zip(own, (z, y, x), strict=True)
            )
            if len(change) == HISTORY_ITEM:
                mask = np.True_ if change[1] is None else change[1]
                painted[inside] |= mask
                values[inside] = np.where(mask, change[3], values[inside])
            else:
                indices = tuple(
                    i - part.start for i, part in zip(change[0], (z, y, x), strict=True)
                )
                painted[indices] = True
                values[indices] = change[2]
        return cls((z, y, x), painted, values)

    def is_in(self, data: Any) -> bool:
        """Whether the labels of the display grid have the painted values already."""
        return bool(np.array_equal(np.asarray(data[self.box])[self.painted], self.at_painted))

    @property
    def at_painted(self) -> NDArray[Any]:
        """``(N,)``: the values of the painted voxels."""
        return self.values[self.painted]

    def masks(self, grid: Grid, shown: Grid) -> dict[int, Mask]:
        """The painted voxels of a volume by label value.

        Parameters
        ----------
        grid, shown
            The grid of the volume and its display grid. On an oblique volume, a voxel that is drawn
            at painted and at unpainted places counts as painted.
        """
        start = np.array([part.start for part in self.box])
        masks = {}
        for value in np.unique(self.at_painted):
            voxels = self.painted & (self.values == value)
            if is_aligned(grid.affine):
                back = np.argsort(patient_axes(grid.affine))
                z, y, x = (int(a) for a in start[back])
                masks[int(value)] = Mask.in_box(voxels.transpose(back), (z, y, x), grid.shape)
            else:
                masks[int(value)] = _on_volume(np.argwhere(voxels) + start, grid, shown)
        return masks


def _box_of(change: Sequence[Any]) -> Box:
    if len(change) == HISTORY_ITEM:
        z, y, x = change[0]
        return z, y, x
    z, y, x = (slice(int(np.min(i)), int(np.max(i)) + 1) for i in change[0])
    return z, y, x


def _on_volume(places: NDArray[np.int64], grid: Grid, shown: Grid) -> Mask:
    """The voxels of a volume that are drawn at places of its display grid."""
    index = np.floor(grid.to_index(shown.to_world(places)) + 0.5).astype(int)
    index = index[((index >= 0) & (index < grid.shape)).all(axis=1)]
    if not len(index):
        return Mask.empty(grid.shape)
    low, high = index.min(axis=0), index.max(axis=0) + 1
    voxels = np.zeros(high - low, bool)
    voxels[tuple((index - low).T)] = True
    z, y, x = (int(a) for a in low)
    return Mask.in_box(voxels, (z, y, x), grid.shape)
