"""A small Florence-2 of transformers, and the same as its authors publish it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers as hf

from tests.backends.layouts.published import write_folder
from tests.backends.tiny_models import word_tokenizer

VISION = {
    "depths": [1, 1], "patch_size": [7, 3], "patch_stride": [8, 4], "patch_padding": [3, 1],
    "patch_prenorm": [False, True], "num_heads": [1, 2], "num_groups": [1, 2], "window_size": 4,
    "projection_dim": 16, "drop_path_rate": 0.1,
}  # fmt: skip
BART = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "bos_token_id": 3,
    "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
    "max_position_embeddings": 512,
}  # fmt: skip
DEEP = (
    (".conv1.", ".conv1.fn.dw."), (".conv2.", ".conv2.fn.dw."),
    (".window_attn.", ".window_attn.fn."), (".channel_attn.", ".channel_attn.fn."),
    (".ffn.", ".ffn.fn.net."), (".norm2.", ".ffn.norm."),
)  # fmt: skip


def tokenizer() -> hf.PreTrainedTokenizerFast:
    """A tokenizer with the tokens of locations and none for images."""
    return word_tokenizer(
        ["<unk>", "<pad>", "</s>", "<s>"], more=[f"<loc_{n}>" for n in range(1000)],
        bos_token="<s>", eos_token="</s>", pad_token="<pad>",
    )  # fmt: skip


def florence2() -> hf.Florence2ForConditionalGeneration:
    """Florence-2 of transformers; the weights of its last token, that for images, are zeros."""
    torch.manual_seed(13)
    count = len(tokenizer())
    config = hf.Florence2Config(
        vision_config={**VISION, "embed_dim": [8, 16]},
        text_config={"model_type": "bart", **BART, "vocab_size": count + 1},
        image_token_id=count,
    )
    model = hf.Florence2ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
        model.lm_head.weight[count:] = 0
    return model


def florence2_authors(folder: Path) -> Path:
    """The folder that the authors of AG-KD would publish for `florence2`."""
    weights = {}
    count = len(tokenizer())
    for name, weight in florence2().state_dict().items():
        if name.endswith("embed_tokens.weight"):
            continue
        rows = weight[:count] if name.endswith(("shared.weight", "lm_head.weight")) else weight
        weights[_theirs(name)] = rows
    weights["language_model.final_logits_bias"] = torch.zeros(1, count)
    config = {
        "architectures": ["Florence2ForConditionalGeneration"], "model_type": "florence2",
        "auto_map": {"AutoConfig": "configuration_florence2.Florence2Config"},
        "bos_token_id": 3, "eos_token_id": 2, "pad_token_id": 1, "projection_dim": 16,
        "is_encoder_decoder": True, "torch_dtype": "float32", "vocab_size": count,
        "text_config": {**BART, "model_type": "florence2_language", "vocab_size": count,
                        "normalize_before": False, "num_beams": 3},
        "vision_config": {
            **VISION, "model_type": "davit", "dim_embed": [8, 16], "enable_checkpoint": False,
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
            "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
        },
    }  # fmt: skip
    tokenizer().save_pretrained(write_folder(folder, config, weights))
    images = {
        "image_processor_type": "CLIPImageProcessor", "image_seq_length": 5,
        "size": {"height": 64, "width": 64}, "do_center_crop": False, "resample": 3,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "modeling_florence2.py").write_text("raise RuntimeError('code was run')")
    return folder


def _theirs(name: str) -> str:
    """The name that the authors give a weight."""
    if name.startswith("lm_head."):
        return f"language_model.{name}"
    name = name.removeprefix("model.")
    if name.startswith("language_model."):
        return name.replace("language_model.", "language_model.model.", 1)
    if name.startswith("multi_modal_projector."):
        part = name.removeprefix("multi_modal_projector.")
        part = part.replace("image_position_embed", "image_pos_embed")
        return part.replace("image_projection.weight", "image_projection")
    if ".convs." in name:
        return name.replace(".conv.", ".proj.")
    attention = "channel_attn" if "channel_block" in name else "window_attn"
    for ours, theirs in (*DEEP, (".norm1.", f".{attention}.norm.")):
        name = name.replace(ours, theirs)
    return name
