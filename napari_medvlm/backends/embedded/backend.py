"""The embedded backend: regions from edges between tissues, words by names and by an atlas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress, Task
from napari_medvlm.backends.embedded.atlas.grounder import Grounder
from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.backends.embedded.measuring_qa.answerer import Answerer
from napari_medvlm.backends.embedded.proposals.replay import Replay
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import read
from napari_medvlm.data.answer import AnswerDelta, Question
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
from napari_medvlm.data.volume import Volume


class EmbeddedBackend(Backend):
    """Regions from edges between tissues; words by label names and a brain atlas. Deterministic."""

    info = BackendInfo(
        name="embedded",
        title="Embedded (no model needed)",
        prompts=frozenset({Point, Box, Scribble, Lasso, Line, InitialMask}),
        tasks=frozenset({Task.SEGMENT, Task.GROUND, Task.ANSWER}),
        code_licence="BSD-3-Clause",
        memory_mib=400,
        uses_no_images=True,
        sizes_points=True,
    )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The structures of the brain atlas; names of label images are known besides."""
        return tuple(structures())

    def load(self, model: str | None, device: str) -> None:
        """Import what the first click needs; there are no weights."""
        from skimage.morphology import reconstruction  # noqa: F401
        from skimage.segmentation import random_walker  # noqa: F401

    def set_volume(self, volume: Volume) -> None:
        """Take the volume, and make the coarse image that every request starts from."""
        self._volume = volume
        self._replay = Replay(Levels(volume))
        self._grounder = Grounder(volume)
        self._answerer = Answerer(volume, self._grounder)

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask on the volume's grid; empty if nothing says where the object is."""
        progress(0.0, "reading the prompts")
        embedded_prompts = read(prompts, self._volume.grid)
        full = self._replay.segment(embedded_prompts, prompts.excluded, progress)
        progress(1.0, "done")
        mask = Mask.of(full) if full.any() else Mask.empty(self._volume.shape)
        return replace(mask, notes=self._replay.notes)

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """The places that label images and the brain atlas have names for."""
        return self._grounder.ground(query, progress)

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """What can be measured in the image, its objects and labels, and read in the atlas."""
        answer = self._answerer.answer(question, progress)
        yield AnswerDelta(answer.text, answer)
