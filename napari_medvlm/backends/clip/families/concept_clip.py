"""ConceptCLIP and other models whose own code compares images with texts.

The names of inputs and outputs are those of https://github.com/JerrryNie/ConceptCLIP, README and
``downstream_evaluation/medical_concept_annotation/concept_annotation.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable

LONGEST = 77
"""Tokens of a text in the authors' code."""
IMAGES, TEXTS, SCALE = "image_features", "text_features", "logit_scale"
PATCHES, CONCEPTS = "image_token_features", "text_token_features"
"""Names of outputs."""


class ConceptClipModel:
    """See `napari_medvlm.backends.clip.models.ClipModel`; the code must have been trusted.

    Patches are compared with the last token of a phrase, as the authors annotate concepts.
    """

    logit_bias: float | None = None
    covered = (1.0, 1.0)
    wording = Wording()

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        blank = [np.zeros((32, 32, 3), np.uint8)]
        self._blank = self._pixels(blank)
        self.logit_scale = float(self._outputs("a", self._blank, SCALE))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""
        return text_vectors(texts, lambda text: self._outputs(text, self._blank, TEXTS))

    def encode_phrases(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)`` that patches are compared with."""
        return text_vectors(texts, lambda text: self._outputs(text, self._blank, CONCEPTS)[:, -1])

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        return int(self._tokens(text, truncation=False)["input_ids"].shape[1]) > LONGEST

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)``."""
        flat = unit_vectors(self._run(images, PATCHES))
        side = math.isqrt(flat.shape[1])
        if side * side != flat.shape[1]:
            raise BackendUnavailable(
                f"The model gives {flat.shape[1]} patches, which form no square.",
                "Use it for labels.",
            )
        return flat.reshape(len(images), side, side, -1)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(self._run(images, IMAGES))

    def _run(self, images: Sequence[NDArray[np.uint8]], name: str) -> Callable[[], Any]:
        return lambda: self._outputs("a", self._pixels(images), name)

    def _outputs(self, text: str, pixels: Any, name: str) -> Any:
        """An output of the model for a text and images."""
        import torch

        tokens = self._tokens(text, truncation=True, max_length=LONGEST)
        with torch.inference_mode():
            outputs = self._loaded.model(pixel_values=pixels, **tokens)
        if not isinstance(outputs, Mapping) or name not in outputs:
            raise BackendFailed(
                f"The code of the {self._loaded.kind} model returned no {name}.",
                "This model cannot be used for similarity.",
            )
        return outputs[name]

    def _tokens(self, text: str, **options: Any) -> Any:
        tokenizer = self._loaded.processor.tokenizer
        return tokenizer([text], return_tensors="pt", **options).to(self._loaded.device)

    def _pixels(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        from PIL import Image

        pictures = [Image.fromarray(image) for image in images]
        processed = self._loaded.processor.image_processor(images=pictures, return_tensors="pt")
        return processed["pixel_values"].to(self._loaded.device, self._loaded.model.dtype)
