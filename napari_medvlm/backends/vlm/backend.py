"""Image-text models of the transformers library: they write where things are, and answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.detection.base import Look
from napari_medvlm.backends.detection.catalogued import CataloguedBackend
from napari_medvlm.backends.detection.generated_boxes import joined, look_of
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.adapters import names_of
from napari_medvlm.backends.models.catalog import Row, answering_row, name_of, row_for
from napari_medvlm.backends.vlm.generation import AnswerGenerator
from napari_medvlm.backends.vlm.prompt_inputs import is_cropped, seen_size
from napari_medvlm.backends.vlm.streamer import Streamer
from napari_medvlm.data.answer import AnswerDelta, Question
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.slice_image import SliceImage


class VLMBackend(CataloguedBackend):
    """Answers by any image-text model, and boxes by those whose way of writing them is known.

    Each phrase is asked for by itself. There are no scores: these models give none.
    """

    info = BackendInfo(
        name="vlm",
        title="Vision-language model",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND, Task.ANSWER, Task.EXPLAIN}),
        weights_licence="see the model's card",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=18000,
    )
    auto = "AutoModelForImageTextToText"
    example = "Qwen/Qwen2.5-VL-3B-Instruct"
    batch = 1
    settings: ClassVar[dict[str, Any]] = {
        "do_sample": False, "num_beams": 1, "max_new_tokens": 256,
    }  # fmt: skip
    """How the model writes: always the likeliest token, so the same question has one answer."""
    longest_answer: ClassVar[int] = 2048
    """How many tokens an answer may have, its thoughts included."""
    shared: ClassVar[bool] = True

    _unknown: BackendUnavailable | None = None
    _answered_as: Row
    _name = ""

    @classmethod
    def tools_unsupported_reason(cls, model: str | None) -> str:
        """Why a model calls no tools, by the catalog; empty: it may."""
        folder = transformers_loader.model_folder(model, cls.info.title, cls.example)
        kind, (name, *base) = transformers_loader.kind_of(folder), names_of(str(model), folder)
        return answering_row(name, kind, base).tools_unsupported_reason

    def load(self, model: str | None, device: str) -> None:
        """Take the model of a folder, or of a hub id that was downloaded before."""
        self._writer = Streamer()
        self._writer.call(partial(super().load, model, device))

    def row_of(self, model: str, kind: str, base: Sequence[str] = ()) -> Row:
        """The catalogue row for grounding; models without one can still answer questions."""
        self._answered_as = answering_row(model, kind, base)
        self._name = name_of(model)
        try:
            return row_for(self.info.name, model, kind, base)
        except BackendUnavailable as unknown:
            self._unknown = unknown
            return self._answered_as

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope, and merge regions of neighbouring slices."""
        if self._unknown is not None:
            raise self._unknown
        return super().ground(query, progress)

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """The answer to a question: text as it comes, at the end the answer as a whole."""
        return self._answering.answer(question, progress)

    def explain(
        self, question: Question, written: str, picture: int, progress: Progress
    ) -> Heatmap:
        """Compute the evidence map of an image for a text that the model wrote."""
        return self._answering.explain(question, written, picture, progress)

    @property
    def _answering(self) -> AnswerGenerator:
        settings = {**self.settings, "max_new_tokens": self.longest_answer}
        return AnswerGenerator(self._loaded, self._answered_as, self._writer, settings, self._name)

    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """Boxes and points from the text that the model writes for each phrase and image."""
        return [
            joined([self._of(p, phrase, query) for phrase in query.phrases]) for p in slice_images
        ]

    def _of(self, slice_image: SliceImage, phrase: str, query: GroundQuery) -> Look:
        crop = is_cropped(self._loaded, self._row)
        shown = framed(slice_image.pixels, self._row.square, crop)
        inputs = self._inputs(shown, *self.parts_for(phrase, query))
        tokens = self._write(inputs)
        look = look_of(
            self._loaded.text(tokens),
            phrase,
            slice_image,
            shown=replace(shown, seen=seen_size(self._loaded, inputs, 0)),
            grammar=self._row.grammar,
            asked=(phrase, query.prompt_of(phrase)),
        )
        longest = self._limits["max_new_tokens"]
        if len(tokens) < longest or tokens[-1] in self._loaded.ends:
            return look
        note = f"{phrase!r}: the model was stopped after {longest} tokens, before it finished."
        return replace(look, notes=(*look.notes, note))

    @property
    def _limits(self) -> dict[str, Any]:
        """The settings, with the number of tokens that the row allows."""
        return self.settings | ({"max_new_tokens": self._row.longest} if self._row.longest else {})

    def _inputs(self, shown: Framed, before: str, after: str) -> Any:
        from PIL import Image

        processor, image = self._loaded.processor, Image.fromarray(shown.pixels)
        if not getattr(processor, "chat_template", None):
            text = f"{before}{getattr(processor, 'image_token', '')}{after}"
            inputs = processor(images=[image], text=[text], return_tensors="pt")
        else:
            parts = [{"type": "image", "image": image}, {"type": "text", "text": after}]
            if before:
                parts.insert(0, {"type": "text", "text": before})
            inputs = processor.apply_chat_template(
                [{"role": "user", "content": parts}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        return self._loaded.inputs(inputs)

    def _write(self, inputs: Any) -> list[int]:
        """The tokens that the model writes."""
        with closing(
            self._writer.tokens(self._loaded.model, inputs, self._limits, self.tick)
        ) as tokens:
            return list(tokens)
