"""IMIS-Net, which takes points, boxes, masks and the name of an object together.

Cheng et al., CVPR 2025, https://arxiv.org/abs/2411.12814. Parts and steps:
https://github.com/uni-medical/IMIS-Bench, ``segment_anything`` and ``model.py``. The image encoder
is timm's ``samvit`` with a wider neck, the mask decoder that of Segment Anything with tokens for
categories, the text encoder that of CLIP ViT-B/32.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.weight_files import mentioned, read_file, state_of
from napari_medvlm.backends.sam.checkpoint import BROKEN, Layout, foreign
from napari_medvlm.backends.sam.model import StretchedSamModel
from napari_medvlm.backends.sam.propagation import SliceMask
from napari_medvlm.backends.sam.slice_prompts import SlicePrompts

if TYPE_CHECKING:
    import torch

TEXT_MODEL = "openai/clip-vit-base-patch32"
"""The hub id of the text encoder, whose tokenizer is needed for names."""
TEMPLATE = "A segmentation area of a {}."
EPSILON = 1e-5
"""Of the normalizations of timm's ``samvit``."""
HEAD_WIDTH = 64
"""Width of an attention head of the text encoder."""
RENAMED = (
    (r"^image_encoder\.sam_encoder\.", "image_encoder."),
    (r"^(image_encoder\..*\.mlp)\.fc", r"\1.lin"),
    (r"^text_model\.text_model\.", "text_model."),
)
UNUSED = r"image_encoder\.sam_encoder\.neck|mask_decoder\.semantic_prediction_head|.*position_ids$"
"""timm's own neck, and the head that names a category."""


def is_imis(path: Path) -> bool:
    """Whether a file holds the weights of IMIS-Net."""
    return mentioned(path, ("mask_decoder.semantic_tokens.weight", "text_out_dim.weight"))


def words_of(name: str) -> str:
    """The sentence for an object's name."""
    plain = re.sub(r"[\s_-]+", " ", name.lower())
    return TEMPLATE.format(plain.strip())


class ImisModel(StretchedSamModel):
    """IMIS-Net; images are stretched to a square, and the best of three masks is taken."""

    recipe = "imis"
    takes_words = True

    def __init__(self, path: Path, device: str) -> None:
        super().__init__(path, device)
        self._folder = path.parent
        self._words: torch.Tensor | None = None

    def with_words(self, words: str) -> ImisModel:
        """The same network for an object of a name.

        Raises
        ------
        BackendUnavailable
            If the tokenizer of the text encoder is not on this computer.
        """
        import torch

        tokens = self._tokenizer()([words_of(words)], truncation=True, return_tensors="pt")
        with torch.no_grad():
            pooled = self.sam.text_model(**tokens.to(self.device)).pooler_output
            vector = self.sam.text_out_dim(pooled)
        named = copy.copy(self)
        named._words = vector
        return named

    def prepared(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """An image ``(h, w, 3)`` uint8 RGB stretched to the network's square, ``(3, h, w)``."""
        import torch
        from PIL import Image

        square = Image.fromarray(pixels).resize((self.side, self.side), Image.Resampling.NEAREST)
        return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()

    def masks(
        self, embedding: torch.Tensor, size: tuple[int, int], prompts: SlicePrompts, several: bool
    ) -> list[SliceMask]:
        """The masks for prompts on an image: all three if ``several``, else the best."""
        import torch

        with torch.no_grad():
            logits, scores = self._decoded(embedding[None].to(self.device), size, prompts)
            square = torch.nn.functional.interpolate(logits, (self.side,) * 2, mode="bilinear")
            shown = torch.nn.functional.interpolate(square, size, mode="bilinear")[0] > 0
        offers = [
            SliceMask(inside, float(score))
            for inside, score in zip(shown.cpu().numpy(), scores[0].cpu(), strict=True)
        ]
        return offers if several else [max(offers, key=lambda offer: offer.score)]

    def _decoded(
        self, embedding: torch.Tensor, size: tuple[int, int], prompts: SlicePrompts
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits ``(1, 3, h, w)`` of the three masks, and their scores ``(1, 3)``."""
        import torch

        decoder = self.sam.mask_decoder
        sparse, dense = self._prompts(size, prompts)
        own = (decoder.iou_token, decoder.mask_tokens, decoder.semantic_tokens)
        tokens = torch.cat([*(part.weight for part in own), sparse[0]])[None]
        positions = self.sam.prompt_encoder.get_dense_pe()
        out, features = decoder.transformer(embedding + dense, positions, tokens)
        channels, height, width = embedding.shape[1:]
        up = decoder.output_upscaling(features.transpose(1, 2).view(1, channels, height, width))
        heads = decoder.output_hypernetworks_mlps
        weights = torch.stack([head(out[:, 1 + n]) for n, head in enumerate(heads)], dim=1)
        if self._words is not None:
            weights = weights + decoder.text_output(self._words)[:, None]
        logits = torch.einsum("bnc,bchw->bnhw", weights, up)
        return logits[:, 1:], decoder.iou_prediction_head(out[:, 0])[:, 1:]

    def _prompts(self, size: tuple[int, int], prompts: SlicePrompts) -> tuple[Any, Any]:
        """Prompts embedded: points, then the corners of the box, then the words."""
        import torch

        sparse, dense = super()._prompts(size, prompts)
        if self._words is not None:
            sparse = torch.cat([sparse, self._words[:, None]], dim=1)
        return sparse, dense

    def _tokenizer(self) -> Any:
        import transformers

        own = any((self._folder / name).is_file() for name in ("vocab.json", "tokenizer.json"))
        folder = self._folder if own else base_folder(TEXT_MODEL)
        return transformers.CLIPTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )

    def _network(self, path: Path) -> Any:
        state = _renamed(state_of(read_file(path)))
        try:
            sam = Layout.of(state).build(EPSILON)
            _add_text_parts(sam, state)
            sam.load_state_dict(state, strict=True)
        except BROKEN as error:
            raise foreign(path, error) from error
        return sam.eval()


def _renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights under the names of segment-anything and transformers, without unused ones."""
    renamed = {}
    for name, weight in state.items():
        if re.match(UNUSED, name):
            continue
        for pattern, new in RENAMED:
            name = re.sub(pattern, new, name)
        renamed[name] = weight
    return renamed


def _add_text_parts(sam: Any, state: Mapping[str, torch.Tensor]) -> None:
    """Add what IMIS-Net has besides the parts of Segment Anything."""
    import transformers
    from torch import nn

    shapes = {name: tuple(weight.shape) for name, weight in state.items()}
    words, width = shapes["text_model.embeddings.token_embedding.weight"]
    layers = {n.split(".")[3] for n in shapes if n.startswith("text_model.encoder.layers.")}
    config = transformers.CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(width // HEAD_WIDTH, 1),
        intermediate_size=shapes["text_model.encoder.layers.0.mlp.fc1.weight"][0],
        max_position_embeddings=shapes["text_model.embeddings.position_embedding.weight"][0],
        eos_token_id=words - 1,
        bos_token_id=words - 2,
    )
    sam.text_model = transformers.CLIPTextModel(config)
    sam.text_out_dim = nn.Linear(*shapes["text_out_dim.weight"][::-1])
    sam.mask_decoder.semantic_tokens = nn.Embedding(*shapes["mask_decoder.semantic_tokens.weight"])
    sam.mask_decoder.text_output = nn.Linear(*shapes["mask_decoder.text_output.weight"][::-1])
