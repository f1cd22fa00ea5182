"""Image-text models of the transformers library: they write where things are, and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.box_formats import GRAMMARS
from napari_medvlm.backends.detection.base import Look
from napari_medvlm.backends.detection.catalogued import CataloguedBackend
from napari_medvlm.backends.detection.generated_boxes import joined, look_of
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.model_code.answers import SEGMENT_PROMPT, CodeAsker
from napari_medvlm.backends.model_code.code_folder import code_of, code_to_run
from napari_medvlm.backends.model_code.loader import load_code
from napari_medvlm.backends.model_code.methods import method_of, ticking
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.adapters import names_of
from napari_medvlm.backends.models.catalog import Row, answering_row, name_of, row_for
from napari_medvlm.backends.vlm.generation import AnswerGenerator
from napari_medvlm.backends.vlm.prompt_inputs import is_cropped, seen_size
from napari_medvlm.backends.vlm.sequence import SequencePrompt
from napari_medvlm.backends.vlm.streamer import Streamer
from napari_medvlm.data.answer import Answer, AnswerDelta, Question
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound
from napari_medvlm.data.region import Heatmap, Region
from napari_medvlm.data.slice_image import SliceImage, picture_of

NO_BOX = "The model wrote no box."


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
        takes_sequences=True,
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
    _asker: CodeAsker | None = None

    @classmethod
    def tools_unsupported_reason(cls, model: str | None) -> str:
        """Why a model calls no tools, by the catalog; empty: it may."""
        folder = transformers_loader.model_folder(model, cls.info.title, cls.example)
        code = code_of(folder)
        kind = code.kind if code else transformers_loader.kind_of(folder)
        name, *base = names_of(str(model), folder)
        return answering_row(name, kind, base).tools_unsupported_reason

    def load(self, model: str | None, device: str) -> None:
        """Take the model of a folder, or of a hub id that was downloaded before."""
        self._writer = Streamer()
        self._asker = None
        folder = transformers_loader.model_folder(model, self.info.title, self.example)
        code = code_to_run(folder)
        if code is None:
            self._writer.call(partial(super().load, model, device))
        else:
            self._row = self.row_of(str(model), code.kind)
            self._loaded = self._writer.call(partial(load_code, code, device))
            self._asker = self._asker_of(method_of(self._loaded, self._answered_as.asked_by))

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
        if query.is_sequence and self._asker is None and self._row.grammar in GRAMMARS:
            return self._in_sequence(query, progress)
        return super().ground(query, progress)

    def _in_sequence(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Locate each phrase in the slices of the scope, shown together as one question."""
        self._progress, self._last_progress = progress, (0.0, "searching the sequence")
        refs = query.scope.slices(self._volume.grid)
        pictures = [picture_of(self._volume, ref, query.window) for ref in refs]
        regions: list[Region] = []
        texts: list[str] = []
        notes: list[str] = []
        prompts: dict[str, str] = {}
        for phrase in query.phrases:
            question = query.prompts.get(phrase, f"Locate {phrase}.")
            self._loaded.refuse_control(question)
            prompt = SequencePrompt.of(self._loaded, self._row, pictures, question)
            inputs = self._loaded.inputs(prompt.inputs(self._loaded, self._row))
            written = self._loaded.text(self._write(inputs))
            own, problems = prompt.regions(self._loaded, self._row, inputs, written, phrase)
            prompts[phrase] = prompt.text
            regions += own
            texts.append(written)
            notes += problems
        located = {region.phrase for region in regions}
        absent = [NotFound(p, NO_BOX) for p in query.phrases if p not in located]
        return Grounding(
            tuple(regions), tuple(absent), refs, query.window, prompts, tuple(texts), tuple(notes)
        )

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """The answer to a question: text as it comes, at the end the answer as a whole."""
        if self._asker is not None:
            return self._asked(partial(self._asker.answer, question), progress)
        return self._answering.answer(question, progress)

    def explain(
        self, question: Question, written: str, picture: int, progress: Progress
    ) -> Heatmap:
        """Compute the evidence map of an image for a text that the model wrote."""
        if self._asker is not None:
            raise BackendUnavailable(
                f"{self._name} is asked by its {self._asker.method}, which gives no probabilities.",
                "Ask for the region in the question instead.",
            )
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

    def _asker_of(self, method: str) -> CodeAsker | None:
        """What asks a model with its own code; `None`: it is asked as models of transformers."""
        if method == "generate":
            return None
        if method == "predict_forward" and self._unknown is not None:
            self._unknown = None
            self._row = self._row.model_copy(update={"prompt": SEGMENT_PROMPT})
        longest = self.longest_answer
        return CodeAsker(self._loaded, self._answered_as, method, longest, self._name)

    def _asked(self, ask: Callable[[], Answer], progress: Progress) -> Iterator[AnswerDelta]:
        """The answer of a model with its own code, which comes as a whole."""
        progress(0.0, "writing")
        with ticking(lambda: progress(0.0, "writing")):
            answer = self._writer.call(ask)
        yield AnswerDelta(answer.text)
        yield AnswerDelta(answer=answer)

    def _of(self, slice_image: SliceImage, phrase: str, query: GroundQuery) -> Look:
        if self._asker is not None:
            asker = replace(self._asker, row=self._row)
            text = "".join(self.parts_for(phrase, query))
            with ticking(self.tick):
                return self._writer.call(partial(asker.look, slice_image, phrase, text))
        crop = is_cropped(self._loaded, self._row)
        shown = framed(slice_image.pixels, self._row.square, crop, self._row.full_range)
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
