"""MedRPG: the box of a phrase on a chest radiograph.

Chen et al. 2023, https://arxiv.org/abs/2303.07618, built on TransVG
(https://arxiv.org/abs/2104.08541). Files and steps: https://github.com/eraserNut/MedRPG,
``models/trans_vg_ca.py``, ``datasets/transforms.py``. A ResNet-50 and six layers of DETR encode
the image, BERT the phrase; six more layers join their tokens with one whose output is the box.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
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
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.slice_image import PixelBounds

if TYPE_CHECKING:
    import torch

    from napari_medvlm.backends.clip.families.towers import State

SIDE = 640
"""Pixels of the square that an image is fitted into."""
WORDS = 20
"""Tokens of a phrase."""
STRIDE = 32
"""Pixels of a token of the image."""
HEADS = 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES = ("visumodel.input_proj.weight", "vl_pos_embed.weight", "reg_token.weight")
NOTE = "MedRPG gives a box without a score on every slice, also where the finding is absent."


def phrase_box_file(folder: Path) -> Path | None:
    """The checkpoint of MedRPG in a folder."""
    return file_with(folder, *NAMES)


class PhraseBoxModel:
    """A model that gives the box of a phrase in an image.

    Parameters
    ----------
    folder
        With ``vocab.txt`` of the text encoder.
    file
        The checkpoint in it.

    Raises
    ------
    BackendUnavailable
        If weights are missing or do not fit, or the vocabulary is not there.
    """

    def __init__(self, folder: Path, file: Path, device: str) -> None:
        weights = WeightFiles(file)
        state = weights_below(weights, "")
        self.device = device
        self._tokenizer = word_pieces(folder)
        self._vision = resnet(weights_below(weights, "visumodel.backbone.0.body.")).to(device)
        self._text = bert(weights_below(weights, "textmodel.bert."), folder).to(device)
        self._detr = _layers(state, "visumodel.transformer.encoder.").to(device)
        self._joint = _layers(state, "vl_transformer.encoder.").to(device)
        self._parts = _linear_parts(state, device)
        self._positions = state["vl_pos_embed.weight"].to(device)
        self._box_token = state["reg_token.weight"].to(device)
        _require_size(len(self._positions))

    def box(self, pixels: NDArray[np.uint8], phrase: str) -> PixelBounds:
        """The box of a phrase in an image ``(rows, columns, 3)``, in pixels of it."""
        import torch

        shown = framed(pixels, SIDE)
        with torch.inference_mode():
            x, y, width, height = (SIDE * self._relative_box(shown, pixels, phrase)).tolist()
        return shown.box_back((x - width / 2, y - height / 2, x + width / 2, y + height / 2))

    def _relative_box(self, shown: Framed, pixels: NDArray[np.uint8], phrase: str) -> Any:
        """Centre ``x, y``, width and height, as parts of the square."""
        import torch

        image, absent = self._image_tokens(shown, pixels)
        words, unused = self._word_tokens(phrase)
        tokens = torch.cat([self._box_token, words, image])[None]
        padding = torch.cat([unused.new_zeros(1), unused, absent])[None]
        joined = self._joint(tokens, self._positions[None], padding)[0, 0]
        for name in ("bbox_embed.layers.0", "bbox_embed.layers.1"):
            joined = self._parts[name](joined).relu()
        return self._parts["bbox_embed.layers.2"](joined).sigmoid().cpu()

    def _image_tokens(self, shown: Framed, pixels: NDArray[np.uint8]) -> tuple[Any, Any]:
        """Tokens ``(N, D)`` of an image, and which lie in the padding."""
        import torch

        padded = torch.from_numpy(_padding(shown, pixels.shape[:2]))
        mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (MEAN, STD))
        values = (torch.from_numpy(shown.pixels).permute(2, 0, 1) / 255 - mean) / std
        values = values.masked_fill(padded, 0).to(self.device)
        features = self._parts["visumodel.input_proj"](
            self._vision(values[None]).flatten(2).transpose(1, 2)
        )
        absent = padded[::STRIDE, ::STRIDE].to(self.device)
        positions = _sines(~absent, features.shape[-1])
        encoded = self._detr(features, positions[None], absent.flatten()[None])[0]
        return self._parts["visu_proj"](encoded), absent.flatten()

    def _word_tokens(self, phrase: str) -> tuple[Any, Any]:
        """Tokens ``(WORDS, D)`` of a phrase, and which are none of its own."""
        tokens = self._tokenizer(
            [phrase], truncation=True, max_length=WORDS, padding="max_length", return_tensors="pt"
        ).to(self.device)
        states = self._text(tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return self._parts["text_proj"](states.last_hidden_state[0]), (
            tokens["attention_mask"][0] == 0
        )


def _linear_parts(state: State, device: str) -> Mapping[str, Any]:
    """The linear layers by their names; a convolution of one pixel is one."""
    from torch import nn

    names = ["visumodel.input_proj", "visu_proj", "text_proj"]
    parts = {}
    for name in [*names, *(f"bbox_embed.layers.{number}" for number in range(3))]:
        weight = state[f"{name}.weight"].flatten(1)
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        own = {"weight": weight, "bias": state[f"{name}.bias"]}
        parts[name] = filled(layer, own, name).to(device)
    return parts


def _layers(state: State, prefix: str) -> Any:
    """Layers of a transformer that add positions to queries and keys, as DETR's encoder."""
    from torch import nn

    own = {n.removeprefix(prefix): w for n, w in state.items() if n.startswith(prefix)}
    count = 1 + max(int(n.split(".")[1]) for n in own if re.match(r"layers\.\d+\.", n))
    inner, width = own["layers.0.linear1.weight"].shape

    class Layers(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(width, HEADS, inner, batch_first=True)
                for _ in range(count)
            )

        def forward(
            self, tokens: torch.Tensor, positions: torch.Tensor, padding: torch.Tensor
        ) -> torch.Tensor:
            for layer in self.layers:
                placed = tokens + positions
                attended, _ = layer.self_attn(placed, placed, tokens, key_padding_mask=padding)
                tokens = layer.norm1(tokens + attended)
                inside = layer.linear2(layer.linear1(tokens).relu())
                tokens = layer.norm2(tokens + inside)
            return tokens

    return filled(Layers(), own, f"layers {prefix}")


def _padding(shown: Framed, size: Sequence[int]) -> NDArray[np.bool_]:
    """Which pixels of the square ``(SIDE, SIDE)`` are not of the image."""
    left, top = shown.start
    rows, columns = (
        round(side * scale) for side, scale in zip(size, shown.scale[::-1], strict=True)
    )
    outside = np.ones((SIDE, SIDE), bool)
    outside[top : top + rows, left : left + columns] = False
    return outside


def _sines(inside: torch.Tensor, width: int) -> torch.Tensor:
    """DETR's positions ``(rows * columns, width)``: sines of rows, then of columns."""
    import torch

    parts = []
    for axis in (0, 1):
        count = inside.cumsum(axis, dtype=torch.float32)
        last = count[-1:] if axis == 0 else count[:, -1:]
        angle = count / (last + 1e-6) * 2 * math.pi
        half = torch.arange(width // 2, device=inside.device)
        angles = angle[..., None] / 10000 ** (2 * (half // 2) / (width // 2))
        pair = torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1)
        parts.append(pair.flatten(2))
    return torch.cat(parts, dim=-1).flatten(0, 1)


def _require_size(positions: int) -> None:
    """Check that a model is for images of `SIDE` pixels and phrases of `WORDS` tokens.

    Raises
    ------
    BackendUnavailable
        If it has another number of positions.
    """
    if positions != 1 + WORDS + (SIDE // STRIDE) ** 2:
        raise BackendUnavailable(
            f"The model has {positions} positions, not those of images of {SIDE} pixels and "
            f"phrases of {WORDS} tokens.",
            "Choose the checkpoint that the authors publish, without dilation.",
        )
