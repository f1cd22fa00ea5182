"""A small IMIS-Net with random weights, in the file of its authors, and its predictor by hand."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from PIL import Image
from timm.models.vision_transformer_sam import VisionTransformerSAM
from torch import nn
from torch.nn.functional import interpolate

from tests.backends.sam import tiny_sam

SIDE, WIDTH, WORDS = 64, 32, 64
LETTERS = string.ascii_lowercase + "."
PIECES = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]


class TinyImis:
    """IMIS-Net with an image encoder of timm, and the steps of its authors' predictor."""

    def __init__(self) -> None:
        layout = replace(tiny_sam.LAYOUT, side=SIDE, window=2)
        self.sam = tiny_sam.network(layout, seed=4)
        self.encoder = VisionTransformerSAM(
            img_size=SIDE, patch_size=16, embed_dim=WIDTH, depth=2, num_heads=2, num_classes=0,
            global_attn_indexes=(1,), window_size=2, use_rel_pos=True,
        ).eval()  # fmt: skip
        config = hf.CLIPTextConfig(
            vocab_size=len(PIECES), hidden_size=WORDS, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=1, max_position_embeddings=77,
            bos_token_id=len(PIECES) - 2, eos_token_id=len(PIECES) - 1,
        )  # fmt: skip
        self.text = hf.CLIPTextModel(config).eval()
        self.out_dim, self.text_output = nn.Linear(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH // 8)
        self.semantic = torch.randn(4, WIDTH)
        with torch.no_grad():
            for module in (self.encoder, self.text):
                for weight in module.parameters():
                    if weight.ndim > 1:
                        weight.normal_(0, 0.9 * weight[0].numel() ** -0.5)

    def save(self, folder: Path) -> Path:
        """The checkpoint, and next to it the vocabulary of the text encoder."""
        parts = {
            "image_encoder.sam_encoder.": self.encoder,
            "image_encoder.neck.": self.sam.image_encoder.neck,
            "prompt_encoder.": self.sam.prompt_encoder, "mask_decoder.": self.sam.mask_decoder,
            "mask_decoder.text_output.": self.text_output,
            "text_model.text_model.": self.text, "text_out_dim.": self.out_dim,
        }  # fmt: skip
        state = {f"{p}{n}": w for p, part in parts.items() for n, w in part.state_dict().items()}
        state["mask_decoder.semantic_tokens.weight"] = self.semantic
        state["mask_decoder.semantic_prediction_head.layers.0.weight"] = torch.randn(8, WIDTH)
        torch.save(state, folder / "IMISNet-B.pth")
        (folder / "vocab.json").write_text(json.dumps({p: n for n, p in enumerate(PIECES)}))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        return folder / "IMISNet-B.pth"

    def tokens(self, text: str) -> torch.Tensor:
        """The letters of a text; the last of a word has a mark."""
        pieces = ["<|startoftext|>"]
        for word in text.replace(".", " .").split():
            pieces += [*word[:-1], f"{word[-1]}</w>"]
        return torch.tensor([[PIECES.index(piece) for piece in [*pieces, "<|endoftext|>"]]])

    def predict(self, pixels, points=(), labels=(), box=None, text=None, mask=None):
        """The best mask ``(h, w)`` of prompts on an image ``(h, w, 3)``, and its score."""
        height, width = pixels.shape[:2]
        stretch = torch.tensor([SIDE / width, SIDE / height])
        with torch.no_grad():
            sparse, dense = self.sam.prompt_encoder(
                (torch.tensor(points)[None] * stretch, torch.tensor([labels])) if points else None,
                None if box is None else torch.tensor([box]) * stretch.repeat(2),
                mask,
            )
            vector = None
            if text is not None:
                vector = self.out_dim(self.text(self.tokens(text)).pooler_output)
                sparse = torch.cat([sparse, vector.unsqueeze(1)], dim=1)
            masks, scores = self._decoded(self._features(pixels), sparse, dense, vector)
            best = int(scores.argmax())
            square = interpolate(masks[:, best : best + 1], (SIDE, SIDE), mode="bilinear")
            shown = interpolate(square, (height, width), mode="bilinear")[0, 0]
        return (torch.sigmoid(shown) > 0.5).numpy(), float(scores[0, best])

    def _features(self, pixels):
        square = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
        normal = torch.tensor((np.array(square) - mean) / std).float().permute(2, 0, 1)[None]
        x = self.encoder.patch_embed(normal) + self.encoder.pos_embed
        for block in self.encoder.blocks:
            x = block(x)
        return self.sam.image_encoder.neck(x.permute(0, 3, 1, 2))

    def _decoded(self, features, sparse, dense, vector):
        decoder = self.sam.mask_decoder
        own = [decoder.iou_token.weight, decoder.mask_tokens.weight, self.semantic]
        tokens = torch.cat([torch.cat(own)[None], sparse], dim=1)
        positions = self.sam.prompt_encoder.get_dense_pe()
        out, source = decoder.transformer(features + dense, positions, tokens)
        grid = SIDE // 16
        up = decoder.output_upscaling(source.transpose(1, 2).view(1, WIDTH, grid, grid))
        flat = up.flatten(2)
        hyper = [mlp(out[:, 1 + n]) for n, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        masks = (torch.stack(hyper, 1) @ flat).view(1, 4, *up.shape[2:])
        if vector is not None:
            masks = masks + (self.text_output(vector.unsqueeze(1)) @ flat).view(1, 1, *up.shape[2:])
        return masks[:, 1:], decoder.iou_prediction_head(out[:, 0])[:, 1:]
