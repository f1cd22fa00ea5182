"""ConceptCLIP, and models whose own code has its outputs.

The names of inputs and outputs, and how scores are mixed, are those of
https://github.com/JerrryNie/ConceptCLIP at d2987d2: README, ``concept_annotation.py`` and
``medical_image_diagnosis/zero_shot.py`` in ``downstream_evaluation``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable

LONGEST = 77
"""Tokens of a text in the authors' code, padded to as many."""
NEAREST = 128
"""Patches of an image that are compared with a label, those nearest to it."""
IMAGES, TEXTS, SCALE = "image_features", "text_features", "logit_scale"
PATCHES, WORDS, PATCH_SCALE = "image_token_features", "text_token_features", "concept_logit_scale"
"""Names of outputs."""


class ConceptClipModel:
    """See `napari_medvlm.backends.clip.models.ClipModel`; the code must have been trusted.

    Patches are compared with the last token of a phrase, as the authors annotate concepts. It is
    that of the padding, which attends to the whole phrase.
    """

    logit_bias: float | None = None
    covered = (1.0, 1.0)
    wording = Wording()

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        blank = self._pixels([np.zeros((32, 32, 3), np.uint8)])
        outputs = self._run({"pixel_values": blank, **self._tokens("a")}, SCALE, PATCH_SCALE)
        self.logit_scale, self.patch_scale = (float(scale) for scale in outputs)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""
        return text_vectors(texts, lambda text: self._run(self._tokens(text), TEXTS)[0])

    def encode_phrases(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)`` that patches are compared with."""
        return text_vectors(texts, lambda text: self._run(self._tokens(text), WORDS)[0][:, -1])

    def encode_label(self, label: str, templates: Sequence[str]) -> Vectors:
        """The unit vector ``(D,)`` of a label's own tokens in sentences with ``{}`` for it."""

        def mean_of_words(template: str) -> Any:
            text = template.format(label)
            words, own = (self._loaded.processor.tokenizer.tokenize(t) for t in (text, label))
            vectors = self._run(self._tokens(text), WORDS)[0][0]
            at = [words.index(word) + 1 for word in own if word in words]
            return vectors[[index for index in at if index < len(vectors)] or slice(None)].mean(0)

        return unit_vectors(lambda: sum(map(mean_of_words, templates)))

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        return len(self._loaded.processor.tokenizer(text, verbose=False)["input_ids"]) > LONGEST

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)``."""
        flat = unit_vectors(lambda: self._run({"pixel_values": self._pixels(images)}, PATCHES)[0])
        side = math.isqrt(flat.shape[1])
        if side * side != flat.shape[1]:
            raise BackendUnavailable(
                f"The model gives {flat.shape[1]} patches, which form no square.",
                "Use it for labels.",
            )
        return flat.reshape(len(images), side, side, -1)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return self.encode_both(images)[0]

    def encode_both(self, images: Sequence[NDArray[np.uint8]]) -> tuple[Vectors, Vectors]:
        """Unit vectors ``(B, D)`` of images and ``(B, patches, D)`` of their patches."""
        whole, patches = self._run({"pixel_values": self._pixels(images)}, IMAGES, PATCHES)
        return unit_vectors(lambda: whole), unit_vectors(lambda: patches)

    def _run(self, inputs: Mapping[str, Any], *names: str) -> list[Any]:
        """Outputs of the model for a text, images or both."""
        import torch

        with torch.inference_mode():
            outputs = self._loaded.model(**inputs)
        given = outputs if isinstance(outputs, Mapping) else {}
        missing = [name for name in names if given.get(name) is None]
        if missing:
            raise BackendFailed(
                f"The code of the {self._loaded.kind} model returned no {' and '.join(missing)}.",
                "This model cannot be used for similarity.",
            )
        return [given[name] for name in names]

    def _tokens(self, text: str) -> Any:
        tokenizer = self._loaded.processor.tokenizer
        return tokenizer(
            [text], padding="max_length", max_length=LONGEST, truncation=True, return_tensors="pt"
        ).to(self._loaded.device)

    def _pixels(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        from PIL import Image

        pictures = [Image.fromarray(image) for image in images]
        processed = self._loaded.processor.image_processor(images=pictures, return_tensors="pt")
        return processed["pixel_values"].to(self._loaded.device, self._loaded.model.dtype)


@dataclass(frozen=True, eq=False)
class ConceptScores:
    """How near the patches of images are to texts; see `napari_medvlm.backends.clip.zero_shot`.

    Parameters
    ----------
    model
        The model.
    patches
        Unit vectors ``(B, patches, D)`` of the images that `encode_images` has seen.
    """

    model: ConceptClipModel
    patches: list[Vectors] = field(default_factory=list)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``; those of the patches are added."""
        whole, patches = self.model.encode_both(images)
        self.patches.append(patches)
        return whole

    def label_logits(self, labels: Sequence[str], templates: Sequence[str]) -> Vectors:
        """For each image and label ``(images, labels)``, of the patches that are nearest to it."""
        vectors = np.stack([self.model.encode_label(label, templates) for label in labels])
        near = []
        for patches in self.patches:
            logits = self.model.patch_scale * (patches @ vectors.T)
            near.append(np.sort(logits, axis=1)[:, -NEAREST:].mean(axis=1))
        return np.concatenate(near)

    def pair_logits(self, present: str, absent: str) -> Vectors:
        """For each image ``(images,)``, how much nearer all patches are to one of two sentences."""
        near, far = self.model.encode_phrases((present, absent))
        means = np.concatenate([patches.mean(axis=1) for patches in self.patches])
        result: Vectors = self.model.patch_scale * (means @ (near - far))
        return result
