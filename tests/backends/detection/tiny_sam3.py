"""A small SAM 3 with random weights, as the library saves it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers as hf

from tests.backends.tiny_models import word_tokenizer

SIDE = 56
WIDTH = 32
LONGEST = 32
"""Tokens of a text, as of the published text encoder."""


def sam3(folder: Path, *, video: bool = False) -> Path:
    """SAM 3's detector with 12 queries.

    Parameters
    ----------
    video
        Whether the folder is that of the whole model, whose detector is a part: the layout that
        the authors publish.
    """
    torch.manual_seed(8)
    layers = {
        "hidden_size": WIDTH, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
        "dropout": 0.0,
    }  # fmt: skip
    tokenizer = word_tokenizer(
        ["<unk>", "<start>", "<end>", "<pad>"], ends=("<start>", "<end>"), bos_token="<start>",
        eos_token="<end>", pad_token="<pad>", model_max_length=LONGEST,
    )  # fmt: skip
    config = hf.Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 64,
                "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE,
                "pretrain_image_size": SIDE, "window_size": 2, "global_attn_indexes": [1],
            },
            "fpn_hidden_size": WIDTH, "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config={
            "model_type": "clip_text_model", "vocab_size": len(tokenizer), "hidden_size": 16,
            "intermediate_size": 32, "projection_dim": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": LONGEST, "bos_token_id": 1,
            "eos_token_id": 2,
        },
        geometry_encoder_config={**layers, "roi_size": 2},
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 12},
        mask_decoder_config={"hidden_size": WIDTH, "num_attention_heads": 2},
    )  # fmt: skip
    model = hf.Sam3Model(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.normal_(0, weights[0].numel() ** -0.5)
    model.save_pretrained(folder)
    images = hf.Sam3ImageProcessor(
        size={"height": SIDE, "width": SIDE}, mask_size={"height": 16, "width": 16}
    )
    hf.Sam3Processor(images, tokenizer).save_pretrained(folder)
    if video:
        _as_published(folder)
    return folder


def _as_published(folder: Path) -> None:
    """Rename the weights and the configuration of a detector to those of ``sam3_video``."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    weights = {f"detector_model.{name}": value for name, value in load_file(file).items()}
    weights["tracker_neck.unused"] = torch.zeros(1)
    save_file(weights, file, metadata={"format": "pt"})
    detector = json.loads((folder / "config.json").read_text("utf-8"))
    config = {"model_type": "sam3_video", "detector_config": detector}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
