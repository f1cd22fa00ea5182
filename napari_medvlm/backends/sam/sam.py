"""The backend: prompts in the patient to a mask on the volume, by a network of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.backends.base import BackendInfo, ObjectPrompts, Prepared, Progress
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.memory.out_of_memory import out_of_memory_errors
from napari_medvlm.backends.sam.checkpoint import checkpoint_file
from napari_medvlm.backends.sam.embedding_store import EmbeddingStore
from napari_medvlm.backends.sam.embeddings import Embeddings
from napari_medvlm.backends.sam.imis import ImisModel, is_imis
from napari_medvlm.backends.sam.model import MedSamModel, SamModel
from napari_medvlm.backends.sam.one_object import OneObject
from napari_medvlm.backends.sam.propagation import SliceMask, StopRule
from napari_medvlm.backends.sam.slice_backend import Plane, SliceBySliceBackend
from napari_medvlm.backends.sam.slice_prompts import ObjectOnSlices
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble

if TYPE_CHECKING:
    import torch


def sam_model(path: Path, device: str) -> SamModel:
    """The network of a checkpoint, shown images as it was trained with.

    MedSAM's checkpoints cannot be distinguished from others by content, so their name decides;
    IMIS-Net's are recognized by their weights.

    Raises
    ------
    BackendUnavailable
        If the file is no such checkpoint, or the device cannot be used.
    """
    if is_imis(path):
        return ImisModel(path, device)
    return (MedSamModel if "medsam" in path.name.lower() else SamModel)(path, device)


class SAMBackend(SliceBySliceBackend):
    """Segment Anything, MedSAM, IMIS-Net and other checkpoints of their shape.

    Each slice with a prompt gets its own prediction; from there the
    object is followed from slice to slice, the mask and its box on one being the prompt on the
    next. The same prompts give the same mask, whatever was asked before.

    Attributes
    ----------
    stop
        When an object has ended; `None` for what suits the model.
    """

    info = BackendInfo(
        name="sam",
        title="Segment Anything",
        code_licence="Apache-2.0",
        prompts=frozenset({Point, Box, Scribble, Lasso, Line, InitialMask}),
        weights_licence="Apache-2.0 (SAM and MedSAM; else see the checkpoint's own)",
        modules=("torch", "torchvision", "segment_anything", "zarr"),
        memory_mib=4000,
        prepared_mib=4.0,
        takes_phrases=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self.stop: StopRule | None = None
        self.embeddings: Embeddings
        self._model: SamModel
        self._words = ""

    def load(self, model: str | None, device: str) -> None:
        """Take the checkpoint of a file, or the only one in a folder."""
        path = checkpoint_file(model, self.info.title)
        with out_of_memory_errors(self.info.title, device):
            self._model = sam_model(path, device)
        self.embeddings = Embeddings(self._model, EmbeddingStore())
        self._ladder = self._new_ladder(device)

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask, see `SliceBySliceBackend.segment`.

        A network that takes words (IMIS-Net) gets the object's name with the prompts. Each further
        name has a mask of its own of the same prompts.
        """
        if not (self._model.takes_words and prompts.phrases):
            self._words = ""
            return super().segment(prompts, progress)
        try:
            masks = {words: self._named(prompts, words, progress) for words in prompts.phrases}
        except BackendUnavailable as error:
            self._words = ""
            mask = super().segment(prompts, progress)
            note = f"The name of the object was not used: {error}"
            return replace(mask, notes=(*mask.notes, note))
        (first, mask), *others = masks.items()
        return replace(
            mask, notes=(*mask.notes, f"Segmented with the name {first}."), others=dict(others)
        )

    def _named(self, prompts: ObjectPrompts, words: str, progress: Progress) -> Mask:
        self._words = words
        return super().segment(prompts, progress)

    def prepare(
        self, axis: int, progress: Progress, slices: Sequence[int] | None = None
    ) -> Prepared:
        """Compute the embeddings of slices across an axis of the array, and keep them on disk."""
        plane = self.plane(axis)
        wanted = range(plane.count) if slices is None else slices
        return Prepared(
            *self._ladder.tried(lambda: self.embeddings.prepare(plane, wanted, progress), progress)
        )

    def find(
        self, plane: Plane, prompts: ObjectOnSlices, progress: Progress
    ) -> Mapping[int, SliceMask]:
        """The object on each slice that it is found on, and on all that were prompted."""
        stop = self.stop or self._model.stop
        model = self._model.with_words(self._words) if self._words else self._model
        return OneObject(model, self.embeddings, plane, prompts, stop, progress).masks()

    def _new_ladder(self, device: str) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""
        usual, batch = self._model.device, self.embeddings.batch

        def work(batch: int, half: bool = False, device: str | torch.device = usual) -> None:
            self.embeddings.batch = batch
            self._model.move_to(device, half)

        rungs = [Fallback("one slice at a time", lambda: work(1))] if batch > 1 else []
        if usual.type != "cpu":
            rungs.append(Fallback("in half precision", lambda: work(1, half=True)))
            rungs.append(Fallback("on the CPU", lambda: work(1, device="cpu")))
        return MemoryFallbacks(
            self.info.title, device, rungs, free=self.embeddings.forget, usual=lambda: work(batch)
        )
