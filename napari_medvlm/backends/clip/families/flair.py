"""FLAIR, a model of fundus photographs and texts.

Silva-Rodríguez et al. 2025, https://arxiv.org/abs/2308.07898. Files and steps:
https://github.com/jusiro/FLAIR, ``flair/modeling/model.py``, Apache-2.0. A ResNet-50 of
torchvision, a BERT, and for each a projection between two normalizations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.families.towers import (
    bert,
    file_with,
    resnet,
    weights_below,
    word_pieces,
)
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.weight_files import WeightFiles

SIDE = 512
"""Pixels of the square that images are resized to."""
LONGEST = 77
"""Tokens of a text."""
GREATEST_SCALE = 100.0
TEXT_MODEL = "emilyalsentzer/Bio_ClinicalBERT"
"""The hub id of the text encoder, whose vocabulary is needed."""
NAMES = ("vision_model.projection_head_vision", "text_model.projection_head_text")


def flair_file(folder: Path) -> Path | None:
    """The checkpoint of FLAIR in a folder."""
    return file_with(folder, *NAMES)


class FlairModel:
    """See `napari_medvlm.backends.clip.models.ClipModel`.

    A patch is encoded as an image whose features are the same everywhere.
    """

    logit_bias: float | None = None
    covered = (1.0, 1.0)
    wording = Wording(("A fundus photograph of {}",), averaged=True)

    def __init__(self, folder: Path, file: Path, device: str) -> None:
        weights = WeightFiles(file)
        self._device = device
        self._vision = resnet(weights_below(weights, "vision_model.model.")).to(device)
        self._text = bert(weights_below(weights, "text_model.model."), folder).to(device)
        self._projections = [
            weights.tensor(f"{name}.projection.weight").float().to(device) for name in NAMES
        ]
        own = (folder / "vocab.txt").is_file()
        self._tokenizer = word_pieces(folder if own else base_folder(TEXT_MODEL))
        scale = float(np.exp(weights.tensor("logit_scale").item()))
        self.logit_scale = self.patch_scale = min(max(scale, 1.0), GREATEST_SCALE)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""
        return text_vectors(texts, self._text_vector)

    encode_phrases = encode_text

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > LONGEST

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, 16, 16, D)``."""
        return unit_vectors(lambda: self._projected(self._features(images).permute(0, 2, 3, 1), 0))

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(lambda: self._projected(self._features(images).mean(dim=(2, 3)), 0))

    def _features(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        import torch
        from torchvision.transforms.functional import (  # type: ignore[import-untyped]  # no types
            resize,
        )

        pixels = [torch.from_numpy(np.array(i, np.float32) / 255).permute(2, 0, 1) for i in images]
        squares = [resize(p, [SIDE, SIDE], antialias=True) for p in pixels]
        return self._vision(torch.stack(squares).to(self._device))

    def _text_vector(self, text: str) -> Any:
        import torch

        tokens = self._tokenizer([text], truncation=True, max_length=LONGEST, return_tensors="pt")
        states = self._text(**tokens.to(self._device), output_hidden_states=True).hidden_states
        mean = torch.stack([states[1], states[2], states[-1]]).mean(dim=(0, 2))
        return self._projected(mean, 1)

    def _projected(self, features: Any, tower: int) -> Any:
        """Features ``(..., C)`` of a tower, 0 images, 1 texts, as projections ``(..., D)``."""
        unit = features / features.norm(dim=-1, keepdim=True)
        return unit @ self._projections[tower].T
