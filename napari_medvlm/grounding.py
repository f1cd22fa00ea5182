"""Words and where they are: what is asked of a grounding backend, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import InvalidPrompt
from napari_medvlm.geometry import FloatArray, Grid, Index
from napari_medvlm.prompts import Box, Point
from napari_medvlm.results import Mask, bounding_box
from napari_medvlm.volume import Window


class RegionKind(StrEnum):
    """What a region says beyond its box."""

    BOX = "box"
    MASK = "mask"
    HEATMAP = "heatmap"
    POINTS = "points"


@dataclass(frozen=True)
class SliceRef:
    """A slice of a volume: the axis of the array ``(z, y, x)`` that it is cut across, and where."""

    axis: int
    index: int


@dataclass(frozen=True)
class Scope:
    """Where to look.

    Parameters
    ----------
    axis
        The axis of the array ``(z, y, x)`` that slices are cut across.
    start, stop
        The slices from ``start`` up to, not including, ``stop``; `None`: the image's end.
    every_mm
        Millimetres from one slice that is looked at to the next; 0: every slice. Backends that look
        at volumes as a whole look at everything between ``start`` and ``stop``.
    scout
        Look at those slices first, and then at every slice around those where something was found.
    """

    axis: int = 0
    start: int = 0
    stop: int | None = None
    every_mm: float = 0.0
    scout: bool = False

    @classmethod
    def of_slice(cls, axis: int, index: int) -> Scope:
        """One slice only."""
        return cls(axis, index, index + 1)

    def slices(self, grid: Grid) -> tuple[SliceRef, ...]:
        """The slices to look at, centred in the range.

        Raises
        ------
        InvalidPrompt
            If no slice of the grid lies in the range.
        """
        start, stop = self.bounds(grid)
        step = self._step(grid)
        first = start + (stop - start - 1) % step // 2
        return tuple(SliceRef(self.axis, index) for index in range(first, stop, step))

    def around(self, found: Iterable[SliceRef], grid: Grid) -> tuple[SliceRef, ...]:
        """Every slice of the range that is nearer to some slices than the next one looked at."""
        start, stop = self.bounds(grid)
        reach = self._step(grid)
        near = {
            index
            for ref in found
            for index in range(max(ref.index - reach + 1, start), min(ref.index + reach, stop))
        }
        return tuple(SliceRef(self.axis, index) for index in sorted(near))

    def _step(self, grid: Grid) -> int:
        steps = round(self.every_mm / grid.spacing[self.axis])
        return min(max(steps, 1), max(grid.shape[self.axis], 1))

    def bounds(self, grid: Grid) -> tuple[int, int]:
        """The first slice, and the one after the last; errors as of `slices`."""
        if self.axis not in (0, 1, 2) or not (np.isfinite(self.every_mm) and self.every_mm >= 0):
            raise InvalidPrompt(
                f"Slices cut across axis {self.axis}, {self.every_mm} mm apart, are none.",
                "The axis is 0, 1 or 2 (z, y, x), and the distance 0 or more.",
            )
        length = grid.shape[self.axis]
        start, stop = max(self.start, 0), length if self.stop is None else min(self.stop, length)
        if start >= stop:
            raise InvalidPrompt(
                f"There is no slice from {self.start} up to {self.stop} along axis {self.axis}: "
                f"the image has {length}.",
                "Choose slices of the image.",
            )
        return start, stop


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
        Spread of the box over several tries, in millimetres, if the backend tells.
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

    @classmethod
    def of_mask(cls, phrase: str, mask: Mask, grid: Grid, score: float | None, name: str) -> Region:
        """The region of a mask, which must not be empty."""
        box = Box.at_index(grid, mask.start, mask.stop)
        return cls(phrase, box, score, name, mask=mask)

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


@dataclass(frozen=True)
class NotFound:
    """A phrase that is nowhere in the scope: an answer of its own.

    Parameters
    ----------
    phrase
        As it was asked.
    reason
        One sentence for people.
    best_score
        Of what came nearest, 0 to 1; `None` if nothing did.
    """

    phrase: str
    reason: str
    best_score: float | None = None


@dataclass(frozen=True, eq=False)
class NamedLabels:
    """A label image and what its values are called.

    Parameters
    ----------
    values
        ``(z, y, x)`` integers; 0 is background.
    grid
        Where they lie.
    names
        The name of each value.
    title
        For people: the layer's or file's name.
    colors
        The colour (``#rrggbb``) of those values that a file tells one of.
    notes
        What was left out or changed in reading, a sentence each.
    tracking_uids
        The UID that a DICOM file gives what a value stands for.
    """

    values: NDArray[np.integer]
    grid: Grid
    names: Mapping[int, str]
    title: str = "labels"
    colors: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tracking_uids: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.shape(self.values) != self.grid.shape:
            raise InvalidPrompt(
                f"The labels {self.title} have the shape {np.shape(self.values)}, their grid "
                f"{self.grid.shape}.",
                "Give the values (z, y, x) with the grid that they lie on.",
            )


@dataclass(frozen=True, eq=False)
class GroundQuery:
    """What is asked of a grounding backend.

    Parameters
    ----------
    phrases
        What to look for, without repetitions.
    scope
        Where to look.
    prompts
        What to send to the model in place of a phrase, where that differs.
    labels
        Label images of this patient whose names may answer a phrase.
    window
        The intensities that a model is to see as black and white; `None`: the backend's own.
    """

    phrases: tuple[str, ...]
    scope: Scope = field(default_factory=Scope)
    prompts: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[NamedLabels, ...] = ()
    window: Window | None = None

    def prompt_of(self, phrase: str) -> str:
        """What to send to a model for a phrase."""
        return self.prompts.get(phrase, phrase)


@dataclass(frozen=True, eq=False)
class Grounding:
    """Where phrases are, and which are nowhere.

    Parameters
    ----------
    regions
        In the order of the phrases; several for one phrase where it is in several places.
    not_found
        The phrases without a region.
    slices
        What was looked at, by a backend that looks at slices.
    window
        The intensities that the model saw as black and white.
    prompts
        The very text that was sent to the model for each phrase.
    texts
        What the model wrote, unchanged.
    notes
        What a person must know to judge it, a sentence each: what could not be read, or was left
        out.
    ran_on
        The device and the precision that a model ran in, as ``"cuda:0, bfloat16"``.
    """

    regions: tuple[Region, ...] = ()
    not_found: tuple[NotFound, ...] = ()
    slices: tuple[SliceRef, ...] = ()
    window: Window | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ran_on: str = ""

    def of(self, phrase: str) -> tuple[Region, ...]:
        """The regions of one phrase, best first."""
        own = (region for region in self.regions if region.phrase == phrase)
        return tuple(sorted(own, key=lambda r: -(r.score if r.score is not None else 1.0)))


def box_of_values(values: NDArray[np.bool_], grid: Grid) -> Box:
    """The box around what is true in ``(z, y, x)``, at least one voxel."""
    box = bounding_box(values)
    return Box.at_index(grid, [s.start for s in box], [s.stop for s in box])
