"""The backend: prompts in the patient to a mask on the volume, by a network of pictures."""

from __future__ import annotations

from collections.abc import Mapping

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.out_of_memory import memory_told
from napari_medvlm.backends.sam.checkpoint import checkpoint_file
from napari_medvlm.backends.sam.embeddings import Embeddings, Plane
from napari_medvlm.backends.sam.model import SamModel, sam_model
from napari_medvlm.backends.sam.one_object import OneObject
from napari_medvlm.backends.sam.store import EmbeddingStore
from napari_medvlm.backends.slice_prompts import (
    on_slices,
    plane_of,
    since_last_mask,
)
from napari_medvlm.backends.slice_to_slice import StopRule, as_mask, replaced
from napari_medvlm.grounding import SliceRef
from napari_medvlm.prompts import Box, InitialMask, Lasso, Point, Scribble
from napari_medvlm.results import Mask
from napari_medvlm.volume import Volume


class SAMBackend(Backend):
    """Segment Anything, MedSAM and other checkpoints of their shape.

    Each slice on which it is said where the object is gets its own prediction; from there the
    object is followed from slice to slice, the mask and its box on one being the prompt on the
    next. The same prompts give the same mask, whatever was asked before.

    Attributes
    ----------
    scores
        Of the last mask, the score that the model predicted for each of its slices.
    stop
        When an object has ended; `None` for what suits the model.
    """

    info = BackendInfo(
        name="sam",
        title="Segment Anything",
        code_licence="Apache-2.0",
        prompts=frozenset({Point, Box, Scribble, Lasso, InitialMask}),
        weights_licence="Apache-2.0 (SAM and MedSAM; else see the checkpoint's own)",
        modules=("torch", "torchvision", "segment_anything", "zarr"),
        memory_mib=4000,
    )

    def __init__(self) -> None:
        self.scores: Mapping[SliceRef, float] = {}
        self.stop: StopRule | None = None
        self._model: SamModel
        self._volume: Volume
        self._planes: dict[int, Plane] = {}

    def load(self, model: str | None, device: str) -> None:
        """Take the checkpoint of a file, or the only one in a folder."""
        path = checkpoint_file(model, self.info.title)
        with memory_told(self.info.title, device):
            self._model = sam_model(path, device)
        self.embeddings = Embeddings(self._model, EmbeddingStore())

    def set_volume(self, volume: Volume) -> None:
        """Take the volume; what was computed of others stays in reach."""
        self._volume, self._planes = volume, {}

    def prepare(self, axis: int, progress: Progress) -> None:
        """Compute the embeddings of all slices across an axis of the array, and keep them on disk.

        Slices that are kept already cost nothing. `Cancelled` leaves those that are done.
        """
        plane = self._plane(axis)
        with memory_told(self.info.title, str(self._model.device)):
            self.embeddings.prepare(plane, range(plane.count), progress)

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask: on the slices that were prompted, between them and beyond."""
        start, said = since_last_mask(prompts)
        before = None if start is None else start.mask(self._volume.grid)
        progress(0.0, "reading the prompts")
        if not said:
            return before or Mask.empty(self._volume.shape)
        plane = self._plane(plane_of(said, self._volume.grid))
        with memory_told(self.info.title, str(self._model.device)):
            read = on_slices(said, plane.frame, before)
            stop = self.stop or self._model.stop
            found = OneObject(self._model, self.embeddings, plane, read, stop, progress).found()
        self.scores = {SliceRef(plane.axis, i): found[i].score for i in sorted(found)}
        mask = as_mask({plane.place(index): here for index, here in found.items()})
        if before is None or not read.stays:
            return mask
        return replaced(before, mask, plane.axis, found)

    def _plane(self, axis: int) -> Plane:
        if axis not in self._planes:
            self._planes[axis] = Plane.of(self._volume, axis)
        return self._planes[axis]
