"""Small models as transformers has them, and the same under the names that authors use.

The names of the authors are written here from their public code, independently of the rules by
which the package renames them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file

from tests.backends.tiny_models import TEXT, word_tokenizer

LICENCE = "Only for research.\n"


def write_folder(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]
) -> Path:
    """A folder as authors publish it: configuration, weights, licence."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "LICENSE").write_text(LICENCE)
    save_file({k: v.contiguous().clone() for k, v in weights.items()}, folder / "model.safetensors")
    return folder


LLAVA_TOKENS = ("<unk>", "<s>", "</s>")
VISION = {
    "model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 28, "patch_size": 14,
}  # fmt: skip


def llava_tokenizer() -> hf.PreTrainedTokenizerFast:
    """A tokenizer without a token for images, as those of the authors are."""
    return word_tokenizer(
        LLAVA_TOKENS, more=["\n"], bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )


def llava(kind: str) -> tuple[hf.LlavaForConditionalGeneration, int]:
    """LLaVA of transformers with ``llama`` or ``mistral``, and the number of its image token.

    The token for images and those that fill up the vocabulary have zeros as weights.
    """
    torch.manual_seed(11)
    token = len(llava_tokenizer())
    size = -(-(token + 1) // 64) * 64
    text = {
        **TEXT, "model_type": kind, "vocab_size": size, "bos_token_id": 1, "eos_token_id": 2,
        **({"sliding_window": None} if kind == "mistral" else {}),
    }  # fmt: skip
    config = hf.LlavaConfig(
        text_config=text, vision_config=VISION, image_token_index=token, image_seq_length=4
    )
    model = hf.LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.2)
        model.model.language_model.embed_tokens.weight[token:] = 0
        model.lm_head.weight[token:] = 0
    return model, token


def llava_authors(folder: Path, kind: str, *, tower: bool = True) -> Path:
    """The folder that LLaVA-Med's authors would publish for `llava`."""
    model, token = llava(kind)
    weights = {}
    for name, weight in model.state_dict().items():
        if name.startswith("model.vision_tower."):
            inner = name.removeprefix("model.vision_tower.")
            if tower:
                weights[f"model.vision_tower.vision_tower.vision_model.{inner}"] = weight
        elif name.startswith("model.multi_modal_projector.linear_"):
            number, part = name.removeprefix("model.multi_modal_projector.linear_").split(".")
            weights[f"model.mm_projector.{ {'1': 0, '2': 2}[number] }.{part}"] = weight
        elif "embed_tokens" in name or name.startswith("lm_head"):
            weights[name.replace("model.language_model.", "model.")] = weight[:token]
        else:
            weights[name.replace("model.language_model.", "model.")] = weight
    config = {
        "architectures": [f"Llava{kind.capitalize()}ForCausalLM"], "model_type": f"llava_{kind}",
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 32,
        "image_aspect_ratio": "pad", "intermediate_size": 32, "max_position_embeddings": 2048,
        "mm_hidden_size": 64, "mm_projector_type": "mlp2x_gelu", "mm_use_im_patch_token": False,
        "mm_use_im_start_end": False, "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2, "mm_vision_tower": "openai/clip-vit-large-patch14-336",
        "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1,
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "sliding_window": None,
        "tie_word_embeddings": False, "tokenizer_padding_side": "right", "torch_dtype": "float32",
        "use_cache": True, "use_mm_proj": True, "vocab_size": token,
    }  # fmt: skip
    llava_tokenizer().save_pretrained(write_folder(folder, config, weights))
    return folder


def clip_base(folder: Path) -> Path:
    """The CLIP model whose vision tower is that of `llava`, as transformers saves it."""
    model, _ = llava("mistral")
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 1, "vocab_size": 8}  # fmt: skip
    clip = hf.CLIPModel(hf.CLIPConfig(text_config=text, vision_config=VISION))
    clip.vision_model.load_state_dict(model.model.vision_tower.state_dict())
    clip.save_pretrained(folder)
    return folder
