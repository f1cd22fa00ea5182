"""A small InternVL of transformers, and the same as its authors publish it."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf

from tests.backends.layouts.published import write_folder
from tests.backends.tiny_models import TEXT, _chat_tokenizer

SPECIAL = (
    *("<unk>", "<|im_end|>", "<|endoftext|>", "<|im_start|>", "<img>", "</img>"),
    *("<IMG_CONTEXT>", "<ref>", "</ref>", "<box>", "</box>"),
)
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
KINDS = {"qwen2": "Qwen2ForCausalLM", "llama": "InternLM2ForCausalLM"}


def internvl(kind: str, *, normalized: bool = False) -> hf.InternVLForConditionalGeneration:
    """InternVL of transformers with a language model of a kind.

    Parameters
    ----------
    normalized
        Whether its vision tower is as that of the 6B: normalized queries and keys, RMS norm.
    """
    torch.manual_seed(12)
    vision = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "image_size": [28, 28], "patch_size": [7, 7],
        "attention_bias": not normalized, "use_qk_norm": normalized,
        "norm_type": "rms_norm" if normalized else "layer_norm",
    }  # fmt: skip
    size = len(_chat_tokenizer(SPECIAL)) + 1  # the token for films, which the library adds
    config = hf.InternVLConfig(
        text_config={"model_type": kind, **TEXT, **HEADS, "vocab_size": size},
        vision_config=vision, image_token_id=SPECIAL.index("<IMG_CONTEXT>"), image_seq_length=4,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = hf.InternVLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.2)
    return model


def shuffled(patches: torch.Tensor, scale_factor: float = 0.5) -> torch.Tensor:
    """Version 1 of the shuffle: token (i, j) joins rows 2j and 2j + 1 of columns 2i and 2i + 1."""
    assert scale_factor == 0.5
    _, rows, columns, _ = patches.shape
    tokens = [
        torch.cat(
            [patches[:, y, x] for y in (2 * j, 2 * j + 1) for x in (2 * i, 2 * i + 1)], dim=-1
        )
        for i in range(columns // 2)
        for j in range(rows // 2)
    ]
    return torch.stack(tokens, dim=1).unflatten(1, (columns // 2, rows // 2))


def internvl_authors(
    folder: Path, kind: str, *, normalized: bool = False, shuffle: str | None = "v2"
) -> Path:
    """The folder that the authors of InternVL would publish for `internvl`.

    Parameters
    ----------
    shuffle
        The version of the shuffle that the configuration states; `None`: none, which is version 1,
        with the conversation format of InternVL 1.2.
    """
    model = internvl(kind, normalized=normalized)
    state, weights = model.state_dict(), {}
    for name, weight in state.items():
        if ".vision_tower." in name:
            weights |= _vision(name, state)
        elif ".multi_modal_projector." in name:
            part = name.removeprefix("model.multi_modal_projector.")
            layer, end = part.split(".")
            weights[f"mlp1.{ {'layer_norm': 0, 'linear_1': 1, 'linear_2': 3}[layer] }.{end}"] = (
                weight
            )
        elif kind == "qwen2":
            new = name.replace("model.language_model.", "language_model.model.")
            weights[new.replace("lm_head", "language_model.lm_head")] = weight
        else:
            weights |= _internlm2(name, state)
    vision = model.config.vision_config
    llm = {
        "architectures": [KINDS[kind]], **TEXT, **HEADS, "vocab_size": len(state["lm_head.weight"]),
        "tie_word_embeddings": False, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        "max_position_embeddings": model.config.text_config.max_position_embeddings,
        "rope_theta": 10000.0, "torch_dtype": "float32", "attn_implementation": "eager",
        **({"bias": False, "rope_scaling": None, "auto_map": {"AutoModel": "m.InternLM2Model"}}
           if kind == "llama" else {"model_type": "qwen2", "use_sliding_window": False}),
    }  # fmt: skip
    config = {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat",
        "auto_map": {"AutoModel": "modeling_internvl_chat.InternVLChatModel"},
        "downsample_ratio": 0.5, "dynamic_image_size": True, "force_image_size": 28,
        "llm_config": llm, "max_dynamic_patch": 4, "min_dynamic_patch": 1,
        "select_layer": -1, "template": "internvl2_5" if shuffle else "Hermes-2",
        "use_thumbnail": True, **({"ps_version": shuffle} if shuffle else {}),
        "vision_config": {
            "architectures": ["InternVisionModel"], "attention_dropout": 0.0, "hidden_act": "gelu",
            "hidden_size": 16, "image_size": 28, "intermediate_size": 32, "layer_norm_eps": 1e-6,
            "model_type": "intern_vit_6b", "norm_type": vision.norm_type,
            "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 7,
            "qk_normalization": normalized, "qkv_bias": not normalized, "use_flash_attn": True,
        },
    }  # fmt: skip
    _chat_tokenizer(SPECIAL).save_pretrained(write_folder(folder, config, weights))
    (folder / "modeling_internvl_chat.py").write_text("raise RuntimeError('code was run')")
    return folder


def _vision(name: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weight of InternViT; keys and values lie with the queries."""
    new = name.replace("model.vision_tower.", "vision_model.")
    for ours, theirs in (
        ("cls_token", "class_embedding"), ("position_embeddings", "position_embedding"),
        ("patch_embeddings.projection", "patch_embedding"), ("encoder.layer.", "encoder.layers."),
        ("lambda_", "ls"), ("attention.projection_layer", "attn.proj"),
        ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
        ("attention.", "attn."),
    ):  # fmt: skip
        new = new.replace(ours, theirs)
    if ".k_proj" in name or ".v_proj" in name:
        return {}
    if ".q_proj" not in name:
        return {new: state[name]}
    parts = [state[name.replace(".q_proj", f".{letter}_proj")] for letter in "qkv"]
    return {new.replace(".q_proj", ".qkv"): torch.cat(parts)}


def _internlm2(name: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weight of InternLM2; of each key and value head the queries lie before it."""
    new = name.replace("model.language_model.", "language_model.model.")
    for ours, theirs in (
        ("lm_head", "language_model.output"), ("embed_tokens", "tok_embeddings"),
        ("self_attn.o_proj", "attention.wo"), ("mlp.gate_proj", "feed_forward.w1"),
        ("mlp.down_proj", "feed_forward.w2"), ("mlp.up_proj", "feed_forward.w3"),
        ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"),
    ):  # fmt: skip
        new = new.replace(ours, theirs)
    if ".k_proj" in name or ".v_proj" in name:
        return {}
    if ".q_proj" not in name:
        return {new: state[name]}
    q, k, v = (state[name.replace(".q_proj", f".{letter}_proj")] for letter in "qkv")
    heads, width = [], 32 // HEADS["num_attention_heads"]
    for group in range(HEADS["num_key_value_heads"]):
        heads += [q[2 * group * width : 2 * (group + 1) * width]]
        heads += [part[group * width : (group + 1) * width] for part in (k, v)]
    return {new.replace("self_attn.q_proj", "attention.wqkv"): torch.cat(heads)}
