"""BioViL and BioViL-T, models of chest radiographs and texts.

Boecking et al. 2022, https://arxiv.org/abs/2204.09817; Bannur et al. 2023,
https://arxiv.org/abs/2301.04558. Files and steps: https://github.com/microsoft/hi-ml,
``hi-ml-multimodal``, MIT. The text encoder is CXR-BERT, with a projection of its first token. The
image encoder is a ResNet-50 whose places are projected and then averaged; in BioViL-T they are
joined with a vector that represents the absent earlier image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.families.towers import (
    bert,
    file_with,
    filled,
    resnet,
    weights_below,
    word_pieces,
)
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.layouts.weight_files import WeightFiles

if TYPE_CHECKING:
    from napari_medvlm.backends.clip.families.towers import State

SCALE = 2.0
"""Xplainer divides cosines by 0.5 (https://arxiv.org/abs/2303.13391); the model has no scale."""
SIDE, SIDE_T = 480, 448
"""Pixels of the square that BioViL and BioViL-T see."""
IMAGE_NAMES = ("encoder.encoder.conv1.weight", "projector.model.0.weight")
TEXT_NAMES = ("cls_projection_head.dense_to_hidden.weight",)
TEMPORAL = "encoder.backbone_to_vit.weight"
ABSENT = "encoder.missing_previous_emb"
"""The vector of BioViL-T for an absent earlier image."""


def biovil_files(folder: Path) -> tuple[Path, Path] | None:
    """The files of the image and the text encoder in a folder."""
    image, text = file_with(folder, *IMAGE_NAMES), file_with(folder, *TEXT_NAMES)
    return None if image is None or text is None else (image, text)


class BioVilModel:
    """See `napari_medvlm.backends.clip.models.ClipModel`.

    Patches are the places that the model itself averages.
    """

    logit_scale: float = SCALE
    patch_scale: float = SCALE
    logit_bias: float | None = None
    covered = (1.0, 1.0)
    wording = Wording()

    def __init__(self, folder: Path, files: tuple[Path, Path], device: str) -> None:
        image, text = (WeightFiles(file) for file in files)
        self._device = device
        self._tokenizer = word_pieces(folder)
        self._text = bert(weights_below(text, "bert."), folder).to(device)
        self._head = _text_head(weights_below(text, "cls_projection_head.")).to(device)
        self._vision = resnet(weights_below(image, "encoder.encoder.")).to(device)
        self._projector = _projector(weights_below(image, "projector.model.")).to(device)
        self._earlier: tuple[Any, Any] | None = None
        self._side = SIDE
        if TEMPORAL in image.shapes:
            self._side = SIDE_T
            joining, absent = (image.tensor(n).float().to(device) for n in (TEMPORAL, ABSENT))
            self._earlier = (joining, absent)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""

        def vector(text: str) -> Any:
            tokens = self._tokenizer(
                [text], truncation=True, max_length=self._longest, return_tensors="pt"
            )
            return self._head(self._text(**tokens.to(self._device)).last_hidden_state[:, 0])

        return text_vectors(texts, vector)

    encode_phrases = encode_text

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > self._longest

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)``."""
        return unit_vectors(lambda: self._places(images).permute(0, 2, 3, 1))

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(lambda: self._places(images).mean(dim=(2, 3)))

    @property
    def _longest(self) -> int:
        return int(self._text.config.max_position_embeddings)

    def _places(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        """Projected places ``(B, D, h, w)`` of images."""
        import torch
        from torchvision.transforms.functional import (  # type: ignore[import-untyped]  # no types
            pil_to_tensor,
        )

        pixels = torch.stack([pil_to_tensor(self._grey(image)) for image in images])
        places = self._vision((pixels / 255).expand(-1, 3, -1, -1).to(self._device))
        if self._earlier is not None:
            joining, absent = self._earlier
            places = torch.nn.functional.conv2d(places, joining)
            places = torch.cat([places, absent.expand_as(places)], dim=1)
        return self._projector(places)

    def _grey(self, image: NDArray[np.uint8]) -> Any:
        from PIL import Image

        side = (self._side, self._side)
        return Image.fromarray(image).convert("L").resize(side, Image.Resampling.BILINEAR)


def _text_head(state: State) -> Any:
    """Projection of the first token of CXR-BERT."""
    from torch import nn

    width, wide = state["dense_to_hidden.weight"].shape
    head = nn.Sequential(
        nn.Linear(wide, width), nn.GELU(), nn.LayerNorm(width, eps=1e-12), nn.Linear(width, width)
    )
    names = {"dense_to_hidden": "0", "LayerNorm": "2", "dense_to_output": "3"}
    renamed = {
        f"{names[part]}.{end}": weight
        for name, weight in state.items()
        for part, _, end in [name.partition(".")]
    }
    return filled(head, renamed, "projection of texts")


def _projector(state: State) -> Any:
    """Projection of each place of an image."""
    from torch import nn

    hidden, wide = state["0.weight"].shape[:2]
    layers = nn.Sequential(
        nn.Conv2d(wide, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        nn.Conv2d(hidden, len(state["3.weight"]), 1),
    )
    return filled(layers, state, "projection of images")
