"""Words and where they are: what is asked of a grounding backend, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.field_checks import (
    require_array,
    require_items,
    require_kinds,
    require_share,
    require_texts,
)
from napari_medvlm.data.geometry.grid import FloatArray, Grid, Index
from napari_medvlm.data.mask import Mask, bounding_box
from napari_medvlm.data.prompts import Box, Point


@dataclass(frozen=True)
class SliceRef:
    """A slice of a volume: the axis of the array ``(z, y, x)`` that it is cut across, and where."""

    axis: int
    index: int


class RegionKind(StrEnum):
    """What a region says beyond its box."""

    BOX = "box"
    MASK = "mask"
    HEATMAP = "heatmap"
    POINTS = "points"


@dataclass(frozen=True, eq=False)
class Heatmap:
    """How much each voxel has to do with a phrase, cut to the part that was looked at.

    Parameters
    ----------
    crop
        ``(z, y, x)`` float32, 0 to 1.
    start
        Index ``(z, y, x)`` of the crop's first voxel in the volume.
    shape
        Shape ``(z, y, x)`` of the volume.
    """

    crop: NDArray[np.float32]
    start: Index
    shape: Index

    def __post_init__(self) -> None:
        """Raise `TypeError` for values of another type."""
        require_array(self, "crop", 3, "f", "an array (z, y, x) of floating-point numbers")

    def full(self) -> NDArray[np.float32]:
        """``(z, y, x)`` float32 on the whole volume, 0 where nothing was looked at."""
        result = np.zeros(self.shape, np.float32)
        z, y, x = (slice(a, a + n) for a, n in zip(self.start, self.crop.shape, strict=True))
        result[z, y, x] = self.crop
        return result


@dataclass(frozen=True, eq=False)
class Region:
    """Where a phrase is.

    Parameters
    ----------
    phrase
        As it was asked.
    box
        The box around it in patient millimetres, at any angle.
    score
        The backend's own confidence from 0 to 1, or `None` if it has none.
    name
        What the backend calls it: the name of a label or structure, or the model's own words.
    mask, heatmap, points
        What else is known of its place.
    slice
        The slice that it was found on, if the backend looks at slices.
    uncertainty
        Spread of the box over several tries, in millimetres, if the backend reports it.
    image_name
        Name of the other image, such as a prior, that it lies in and whose millimetres and slices
        are meant; empty: the image asked about.
    """

    phrase: str
    box: Box
    score: float | None = None
    name: str = ""
    mask: Mask | None = None
    heatmap: Heatmap | None = None
    points: tuple[Point, ...] = ()
    slice: SliceRef | None = None
    uncertainty: float | None = None
    image_name: str = ""

    def __post_init__(self) -> None:
        """Raise `TypeError` or `ValueError` for fields of another type, or outside of 0 to 1."""
        require_texts(self, "phrase", "name", "image_name")
        require_kinds(self, Box, "box", optional=False)
        require_kinds(self, Mask, "mask")
        require_kinds(self, Heatmap, "heatmap")
        require_kinds(self, SliceRef, "slice")
        require_items(self, Point, "points")
        require_share(self, "score")

    @classmethod
    def of_mask(cls, phrase: str, mask: Mask, grid: Grid, score: float | None, name: str) -> Region:
        """The region of a mask, which must not be empty."""
        box = Box.at_index(grid, mask.start, mask.stop)
        return cls(phrase, box, score, name, mask=mask)

    def masked(self, threshold: float, grid: Grid) -> Region:
        """The region with the part of its heatmap from a threshold on as its mask and box.

        The region itself if it has no heatmap, or nothing in it reaches the threshold.

        Parameters
        ----------
        threshold
            From 0, exclusive, to 1: the lowest value of the heatmap that belongs to the mask.
        grid
            The volume's grid.

        Raises
        ------
        InvalidPrompt
            If the threshold lies outside of that.
        """
        if not 0 < threshold <= 1:
            raise InvalidPrompt(
                f"A heatmap has no threshold of {threshold:g}.",
                "Choose a number above 0 and at most 1.",
            )
        if self.heatmap is None or not (self.heatmap.crop >= threshold).any():
            return self
        mask = Mask.of(self.heatmap.full() >= threshold)
        return replace(self, mask=mask, box=Box.at_index(grid, mask.start, mask.stop))

    @property
    def kind(self) -> RegionKind:
        """What it says beyond its box."""
        if self.mask is not None:
            return RegionKind.MASK
        if self.heatmap is not None:
            return RegionKind.HEATMAP
        return RegionKind.POINTS if self.points else RegionKind.BOX

    @property
    def bounds_mm(self) -> FloatArray:
        """``(2, 3)``: lowest and highest ``(S, P, L)`` of the box."""
        corners = self.box.corners()
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    @property
    def center_mm(self) -> FloatArray:
        """``(3,)``: the centre of the box, ``(S, P, L)``."""
        center: FloatArray = self.box.corners().mean(axis=0)
        return center


def box_of_values(values: NDArray[np.bool_], grid: Grid) -> Box:
    """The box around what is true in ``(z, y, x)``, at least one voxel."""
    box = bounding_box(values)
    return Box.at_index(grid, [s.start for s in box], [s.stop for s in box])
