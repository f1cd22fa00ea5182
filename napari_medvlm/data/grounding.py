"""Words and where they are: what is asked of a grounding backend, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.field_checks import (
    require_items,
    require_kinds,
    require_share,
    require_texts,
)
from napari_medvlm.data.geometry.channels import Channel
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import distinct
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Window


@dataclass(frozen=True)
class Scope:
    """Where to look.

    Parameters
    ----------
    axis
        The axis of the array ``(z, y, x)`` that slices are cut across.
    start, stop
        The slices from ``start`` up to, not including, ``stop``; `None`: the image's end.
    slice_step_mm
        Millimetres from one slice that is looked at to the next; 0: every slice. Backends that look
        at volumes as a whole look at everything between ``start`` and ``stop``.
    coarse_to_fine
        Look at those slices first, and then at every slice around those where something was found.
    """

    axis: int = 0
    start: int = 0
    stop: int | None = None
    slice_step_mm: float = 0.0
    coarse_to_fine: bool = False

    @classmethod
    def of_slice(cls, axis: int, index: int) -> Scope:
        """One slice only."""
        return cls(axis, index, index + 1)

    @classmethod
    def near(
        cls,
        ref: SliceRef,
        reach_mm: float,
        grid: Grid,
        slice_step_mm: float = 0.0,
        coarse_to_fine: bool = False,
    ) -> Scope:
        """The slices up to a distance to either side of one."""
        reach = round(reach_mm / grid.spacing[ref.axis])
        start, stop = max(ref.index - reach, 0), ref.index + reach + 1
        return cls(ref.axis, start, stop, slice_step_mm, coarse_to_fine)

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

    def around(self, hits: Iterable[SliceRef], grid: Grid) -> tuple[SliceRef, ...]:
        """Every slice of the range that is nearer to some slices than the next one looked at."""
        start, stop = self.bounds(grid)
        reach = self._step(grid)
        near = {
            index
            for ref in hits
            for index in range(max(ref.index - reach + 1, start), min(ref.index + reach, stop))
        }
        return tuple(SliceRef(self.axis, index) for index in sorted(near))

    def _step(self, grid: Grid) -> int:
        steps = round(self.slice_step_mm / grid.spacing[self.axis])
        return min(max(steps, 1), max(grid.shape[self.axis], 1))

    def bounds(self, grid: Grid) -> tuple[int, int]:
        """The first slice, and the one after the last; errors as of `slices`."""
        if self.axis not in (0, 1, 2) or not (
            np.isfinite(self.slice_step_mm) and self.slice_step_mm >= 0
        ):
            raise InvalidPrompt(
                f"Axis {self.axis} with slices {self.slice_step_mm} mm apart is no valid scope.",
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

    def __post_init__(self) -> None:
        """Raise `TypeError` or `ValueError` for fields of another type, or outside of 0 to 1."""
        require_texts(self, "phrase", "reason")
        require_share(self, "best_score")


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
    descriptions
        What a phrase means, in words; sent by models whose catalogue row has a sentence for it.
    labels
        Label images of this patient whose names may answer a phrase.
    window
        The intensities that a model is to see as black and white; `None`: the backend's own.
    channels
        The images of all channels of a model that takes several, see `Backend.channel_names`.
    is_sequence
        Whether the slices of the scope are shown together as one question, by a backend that can
        (`BackendInfo.takes_sequences`); then `prompts` are whole questions.
    report
        The text of the report of this examination, for a model that takes one, see
        `Backend.takes_report`.
    """

    phrases: tuple[str, ...]
    scope: Scope = field(default_factory=Scope)
    prompts: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[NamedLabels, ...] = ()
    window: Window | None = None
    descriptions: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    is_sequence: bool = False
    report: str = ""

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_items(self, str, "phrases")
        require_kinds(self, Scope, "scope", optional=False)

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
        What the user must know to judge it, a sentence each: what could not be read, or was left
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

    def __post_init__(self) -> None:
        """Raise `TypeError` for fields of another type."""
        require_items(self, Region, "regions")
        require_items(self, NotFound, "not_found")
        require_items(self, SliceRef, "slices")
        require_items(self, str, "texts", "notes")

    def of(self, phrase: str) -> tuple[Region, ...]:
        """The regions of one phrase, best first."""
        own = (region for region in self.regions if region.phrase == phrase)
        return tuple(sorted(own, key=lambda r: -(r.score if r.score is not None else 1.0)))

    def masked(self, threshold: float, grid: Grid) -> Grounding:
        """The same with masks of the heatmaps, see `Region.masked`."""
        regions = tuple(region.masked(threshold, grid) for region in self.regions)
        return replace(self, regions=regions)

    def distinct(self, limit: float, grid: Grid) -> Grounding:
        """The same without regions that overlap a better one of their phrase, see `iou.distinct`.

        The phrases stay in their order.
        """
        regions = tuple(
            region
            for phrase in dict.fromkeys(region.phrase for region in self.regions)
            for region in distinct(self.of(phrase), limit, grid)
        )
        return replace(self, regions=regions)
