"""Models of pictures that segment objects in volumes: what they have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from napari_medvlm.backends.base import Backend, ObjectPrompts, Progress
from napari_medvlm.backends.memory.fallback import MemoryFallbacks
from napari_medvlm.backends.sam.propagation import SliceMask, replaced, stacked
from napari_medvlm.backends.sam.slice_prompts import (
    ObjectOnSlices,
    on_slices,
    plane_of,
    since_last_mask,
)
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.data.window_presets import default_window


@dataclass(frozen=True, eq=False)
class Plane:
    """All slices of a volume across one axis, as they are shown.

    Parameters
    ----------
    axis
        Of the array.
    window
        The intensities shown; `None` for colour.
    """

    volume: Volume
    axis: int
    window: Window | None

    @classmethod
    def of(cls, volume: Volume, axis: int) -> Plane:
        """The plane across an axis, in the volume's own window."""
        return cls(volume, axis, None if volume.is_color else default_window(volume))

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.volume.shape[self.axis]

    @cached_property
    def frame(self) -> SliceImage:
        """The picture of the first slice: all of a plane have its size and its way back."""
        return self.picture(0)

    def picture(self, index: int) -> SliceImage:
        """A slice as it is shown."""
        return picture_of(self.volume, SliceRef(self.axis, index), self.window)

    def place(self, index: int) -> SliceImage:
        """The way from a slice's pixels to the volume; the pixels themselves are not its own."""
        return replace(self.frame, slice=SliceRef(self.axis, index))


class SliceBySliceBackend(Backend, ABC):
    """A backend that segments an object slice by slice; subclasses implement `find`."""

    def __init__(self) -> None:
        self._volume: Volume
        self._planes: dict[int, Plane] = {}
        self._ladder = MemoryFallbacks(self.info.title, "the device")

    def set_volume(self, volume: Volume) -> None:
        """Take the volume, and load what its slices are shown by before the first click."""
        self._ladder.renew()
        self._volume, self._planes = volume, {}
        self.plane(0).picture(0)

    def plane(self, axis: int) -> Plane:
        """The slices of the volume across an axis of its array."""
        if axis not in self._planes:
            self._planes[axis] = Plane.of(self._volume, axis)
        return self._planes[axis]

    @abstractmethod
    def find(
        self, plane: Plane, prompts: ObjectOnSlices, progress: Progress
    ) -> Mapping[int, SliceMask]:
        """The object on the slices that it is found on, by their index."""

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask: on the slices that were prompted, between them and beyond.

        Its score is the mean of those of its slices, which it has too.
        """
        start, later_prompts = since_last_mask(prompts)
        before = None if start is None else start.mask(self._volume.grid)
        progress(0.0, "reading the prompts")
        if not later_prompts:
            return before or Mask.empty(self._volume.shape)
        plane = self.plane(plane_of(later_prompts, self._volume.grid))
        read = on_slices(later_prompts, plane.frame, before)
        if before is not None and not (read.anchors or read.given):
            return before
        slice_masks, notes = self._ladder.tried(lambda: self.find(plane, read, progress), progress)
        mask = _as_mask(plane, slice_masks)
        if before is not None and read.stays:
            mask = replaced(before, mask, plane.axis, slice_masks)
        scores = {(plane.axis, index): slice_masks[index].score for index in sorted(slice_masks)}
        return replace(mask, slice_scores=scores, notes=notes)


def _as_mask(plane: Plane, slice_masks: Mapping[int, SliceMask]) -> Mask:
    """Join the masks of slices to one mask on the volume."""
    masks = [plane.place(index).mask(here.inside) for index, here in slice_masks.items()]
    scores = [here.score for here in slice_masks.values() if here.inside.any()]
    return stacked(masks, float(np.clip(np.mean(scores), 0, 1)) if scores else None)
