"""Zero-shot detectors: Grounding DINO, OWLv2 and their relatives of transformers, and MedRPG."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.detection.base import Look, Seen, SlicewiseBackend
from napari_medvlm.backends.detection.catalogued import CataloguedBackend
from napari_medvlm.backends.detection.phrase_box import NOTE, PhraseBoxModel, phrase_box_file
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.slice_image import SliceImage

_STOPS = re.compile(r"[.?\s]+")
_SMALLEST = 1e-3
"""Pixels; what is smaller, or lies less far inside the image, is no box."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """Phrases that are asked at once.

    Parameters
    ----------
    text
        For the processor: one text of all phrases, or a list of texts.
    columns
        Of each phrase, its columns of the model's logits.
    """

    text: str | list[str]
    columns: Mapping[str, Sequence[int]]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Boxes in one image, best first: ``(n, 4)`` pixels x0, y0, x1, y1, and ``(n,)`` scores."""

    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def within(cls, boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> _Boxes:
        """Those that lie in an image at least in part; others lie in what a model pads it with."""
        height, width = size
        low, high = (
            np.clip(boxes[:, :2], 0, (width, height)),
            np.clip(boxes[:, 2:], 0, (width, height)),
        )
        inside = np.flatnonzero((high - low > _SMALLEST).all(axis=1))
        order = inside[np.argsort(-scores[inside], kind="stable")]
        return cls(boxes[order], scores[order])


class DetectorBackend(CataloguedBackend):
    """Boxes by any detector that takes words.

    Each phrase is judged by its own scores, so what else was asked takes no box from it, and a
    phrase is not found only if no box reaches the threshold for it. A folder with the checkpoint of
    MedRPG gives a box of each phrase, see `napari_medvlm.backends.detection.phrase_box`.
    """

    info = BackendInfo(
        name="detector",
        title="Zero-shot detector",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see the model's card",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=2500,
    )
    auto = "AutoModelForZeroShotObjectDetection"
    example = "IDEA-Research/grounding-dino-tiny"
    half = False
    """The models are small, and half precision moves boxes by whole pixels."""
    threshold: ClassVar[float] = 0.05
    """Boxes of lower scores are not given; low, so that the user can filter without a new run."""
    most: ClassVar[int] = 20
    """How many boxes of a phrase are kept on a slice, the best ones."""

    _phrase_box: PhraseBoxModel | None = None

    def load(self, model: str | None, device: str) -> None:
        """Take the model of a folder, or of a hub id that was downloaded before."""
        folder = transformers_loader.model_folder(model, self.info.title, self.example)
        file = phrase_box_file(folder)
        if file is None:
            self._phrase_box = None
            super().load(model, device)
        else:
            transformers_loader.torch_device(device)
            self._phrase_box = PhraseBoxModel(folder, file, device)

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope, and merge regions of neighbouring slices."""
        if self._phrase_box is None:
            return super().ground(query, progress)
        grounding = SlicewiseBackend.ground(self, query, progress)
        ran_on = f"{self._phrase_box.device}, float32"
        return replace(grounding, notes=(*grounding.notes, NOTE), ran_on=ran_on)

    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """The boxes of each phrase in each image, and the best score of those without."""
        if self._phrase_box is not None:
            box_of = self._phrase_box.box
            return [
                Look(
                    tuple(
                        Seen(phrase, None, box_of(image.pixels, query.prompt_of(phrase)))
                        for phrase in query.phrases
                    )
                )
                for image in slice_images
            ]
        looks = [Look(best={}) for _ in slice_images]
        texts = {phrase: self.text_for(phrase, query) for phrase in query.phrases}
        for asked in self._together(texts):
            self.tick()
            outputs = self._outputs(slice_images, asked.text)
            for phrase, columns in asked.columns.items():
                boxes_of_slices = self._boxes(
                    outputs, columns, [slice_image.size for slice_image in slice_images]
                )
                looks = [
                    self._with(look, phrase, boxes)
                    for look, boxes in zip(looks, boxes_of_slices, strict=True)
                ]
        return looks

    @property
    def _by_token(self) -> bool:
        """Whether all phrases form one text whose tokens have a column each."""
        return self._row.grammar == "sentence"

    def parts_for(self, phrase: str, query: GroundQuery) -> tuple[str, str]:
        """The text sent for a phrase, without full stops inside it."""
        prompt = query.prompt_of(phrase)
        if self._by_token:
            prompt = _STOPS.sub(" ", prompt.lower()).strip()
        return self._row.parts(prompt)

    def _together(self, texts: Mapping[str, str]) -> list[_Asked]:
        """The phrases in as few groups as the model can read."""
        tokens = {phrase: self._tokens(text) for phrase, text in texts.items()}
        for phrase, count in tokens.items():
            if count > self._longest:
                raise InvalidPrompt(
                    f"The text for {phrase!r} has {count} tokens; the model reads {self._longest}.",
                    "Use fewer words.",
                )
        if not self._by_token:
            return [_Asked(list(texts.values()), {phrase: [k] for k, phrase in enumerate(texts)})]
        groups: list[dict[str, str]] = [{}]
        for phrase, text in texts.items():
            if self._tokens(" ".join([*groups[-1].values(), text])) > self._longest:
                groups.append({})
            groups[-1][phrase] = text
        return [self._sentence(group) for group in groups]

    @property
    def _longest(self) -> int:
        """Maximum number of text tokens of the model."""
        config = self._loaded.model.config
        of_text = config if self._by_token else config.text_config
        return int(of_text.max_text_len if self._by_token else of_text.max_position_embeddings)

    def _tokens(self, text: str) -> int:
        return len(self._loaded.processor.tokenizer(text)["input_ids"])

    def _sentence(self, texts: Mapping[str, str]) -> _Asked:
        """The phrases as one text, and which of its tokens are those of each."""
        joined = " ".join(texts.values())
        read = self._loaded.processor.tokenizer(joined, return_offsets_mapping=True)
        columns, start = {}, 0
        for phrase, text in texts.items():
            stop = start + len(text.rstrip("."))
            columns[phrase] = [
                k for k, (a, b) in enumerate(read["offset_mapping"]) if start <= a < b <= stop
            ]
            if not columns[phrase]:
                raise InvalidPrompt(f"{phrase!r} has no words.", "Write a phrase with words.")
            start += len(text) + 1
        return _Asked(joined, columns)

    def _outputs(self, slice_images: Sequence[SliceImage], text: str | list[str]) -> Any:
        import torch

        processor = self._loaded.processor
        inputs = processor(
            images=[np.array(slice_image.pixels) for slice_image in slice_images],
            text=[text] * len(slice_images),
            return_tensors="pt",
        )
        with torch.inference_mode():
            return self._loaded.model(**self._loaded.inputs(inputs))

    def _boxes(
        self, outputs: Any, columns: Sequence[int], sizes: list[tuple[int, int]]
    ) -> list[_Boxes]:
        """The boxes of one phrase in each image, best first.

        The library takes the highest of a box's scores, so it is given those of the phrase alone.
        """
        own = copy.copy(outputs)
        own["logits"] = outputs.logits[..., list(columns)]
        detections = self._loaded.processor.post_process_grounded_object_detection(
            own, threshold=-1.0, target_sizes=sizes
        )
        return [
            _Boxes.within(detection["boxes"].cpu().numpy(), detection["scores"].cpu().numpy(), size)
            for detection, size in zip(detections, sizes, strict=True)
        ]

    def _with(self, look: Look, phrase: str, boxes: _Boxes) -> Look:
        """The detections extended by the boxes of another phrase."""
        good = int(np.sum(boxes.scores > self.threshold))
        count = min(good, self.most)
        seen = [
            Seen(phrase, float(score), (float(x0), float(y0), float(x1), float(y1)))
            for score, (x0, y0, x1, y1) in zip(boxes.scores[:count], boxes.boxes, strict=False)
        ]
        note = f"Of {phrase!r} only the best {self.most} boxes per slice are used."
        return replace(
            look,
            seen=(*look.seen, *seen),
            best={**(look.best or {}), phrase: float(boxes.scores.max(initial=0.0))},
            notes=(*look.notes, note) if good > count else look.notes,
        )
