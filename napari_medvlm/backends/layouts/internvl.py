"""InternVL 1.2, 2, 2.5 and 3 in the layout of their authors.

Weights and configuration: https://github.com/OpenGVLab/InternVL, ``internvl/model``. The language
models of the 8B versions 2 and 2.5 are InternLM2, which transformers computes as LLaMA. What a
configuration does not state has the value of ``InternVLChatConfig``: version 1 of the pixel
shuffle, a single tile per image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.layouts.chat_templates import CHATML, HERMES
from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import Recipe, rename_all, rows
from napari_medvlm.backends.layouts.tokenizers import local_tokenizer
from napari_medvlm.backends.models.pixel_shuffle import SHUFFLE_VERSION
from napari_medvlm.data.errors import BackendUnavailable

if TYPE_CHECKING:
    import torch

MARKS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
}
VIDEO = "<video>"
VISION_RULES = (
    (r"^vision_model\.", "model.vision_tower."),
    (r"\.embeddings\.class_embedding$", ".embeddings.cls_token"),
    (r"\.embeddings\.position_embedding$", ".embeddings.position_embeddings"),
    (r"\.embeddings\.patch_embedding\.", ".embeddings.patch_embeddings.projection."),
    (r"\.encoder\.layers\.", ".encoder.layer."),
    (r"\.ls([12])$", r".lambda_\1"),
    (r"\.attn\.proj\.", ".attention.projection_layer."),
    (r"\.attn\.", ".attention."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
)
PROJECTOR_RULES = (
    (r"^mlp1\.0\.", "model.multi_modal_projector.layer_norm."),
    (r"^mlp1\.1\.", "model.multi_modal_projector.linear_1."),
    (r"^mlp1\.3\.", "model.multi_modal_projector.linear_2."),
)
TEXT_RULES = (
    (r"^language_model\.(lm_head|output)\.", "lm_head."),
    (r"^language_model\.model\.", "model.language_model."),
    (r"\.tok_embeddings\.", ".embed_tokens."),
    (r"\.attention\.wo\.", ".self_attn.o_proj."),
    (r"\.attention\.wqkv\.", ".self_attn.wqkv."),
    (r"\.feed_forward\.w1\.", ".mlp.gate_proj."),
    (r"\.feed_forward\.w2\.", ".mlp.down_proj."),
    (r"\.feed_forward\.w3\.", ".mlp.up_proj."),
    (r"\.attention_norm\.", ".input_layernorm."),
    (r"\.ffn_norm\.", ".post_attention_layernorm."),
)
TEXT_MODELS = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "InternLM2ForCausalLM": "llama",
}
"""Model types of transformers by the class of the language model."""


class InternVLLayout(Layout):
    """``internvl_chat``: InternViT, a projector, and a language model."""

    name = "internvl_chat"
    title = "InternVL 1.2, 2, 2.5 and 3 (internvl_chat)"
    backend = "vlm"

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By the model type or the class of its configuration."""
        return (
            checkpoint.config.get("model_type") == "internvl_chat"
            or "InternVLChatModel" in checkpoint.architectures
        )

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To `InternVLForConditionalGeneration`."""
        import transformers

        config = checkpoint.config
        _refuse_other_parts(config)
        text, vision = _text_config(config["llm_config"]), _vision_config(config)
        tokenizer = _tokenizer(checkpoint)
        side, patch = vision["image_size"], vision["patch_size"]
        ratio = float(config.get("downsample_ratio", 0.5))
        length = int((side // patch) ** 2 * ratio**2)
        converted = transformers.InternVLConfig(
            text_config=text,
            vision_config=vision,
            image_token_id=tokenizer.convert_tokens_to_ids(MARKS["context_image_token"]),
            image_seq_length=length,
            downsample_ratio=ratio,
            vision_feature_layer=int(config.get("select_layer", -1)),
            tie_word_embeddings=bool(text.get("tie_word_embeddings", False)),
            **{SHUFFLE_VERSION: str(config.get(SHUFFLE_VERSION, "v1"))},
        )
        return Conversion(
            "InternVLForConditionalGeneration",
            converted,
            _recipes(checkpoint, converted),
            _processor(config, tokenizer, side, length),
            unused=(r"inv_freq$",),
            generation=_generation(text, tokenizer),
        )


def _refuse_other_parts(config: Mapping[str, Any]) -> None:
    """Refuse versions of InternVL that transformers does not compute."""
    llm = config["llm_config"]
    (kind,) = llm.get("architectures") or ("unnamed",)
    problem = ""
    if kind not in TEXT_MODELS:
        problem = f"the language model {kind}"
    elif config.get(SHUFFLE_VERSION, "v1") not in ("v1", "v2"):
        problem = f"pixel shuffle {config[SHUFFLE_VERSION]}"
    elif config.get("vision_config", {}).get("norm_type", "layer_norm") not in (
        "layer_norm",
        "rms_norm",
    ):
        problem = "another normalization"
    elif llm.get("rope_scaling") and TEXT_MODELS[kind] == "llama" and not _is_dynamic(llm):
        problem = f"rope scaling {llm['rope_scaling']}"
    if problem:
        raise BackendUnavailable(
            f"The model has {problem}, which the InternVL of transformers does not compute.",
            "Choose a version whose name ends in -hf, or run the authors' own code.",
        )


def _is_dynamic(llm: Mapping[str, Any]) -> bool:
    return (llm["rope_scaling"] or {}).get("type") == "dynamic"


def _text_config(llm: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the language model as of transformers."""
    (kind,) = llm["architectures"]
    dropped = {
        "architectures", "auto_map", "bias", "torch_dtype", "transformers_version", "use_bfloat16",
        "attn_implementation", "use_cache",
    }  # fmt: skip
    text = {k: v for k, v in llm.items() if k not in dropped and not k.startswith("_")}
    text["model_type"] = TEXT_MODELS[kind]
    scaling = text.pop("rope_scaling", None)
    if scaling:
        rope = {"rope_type": scaling.get("type", scaling.get("rope_type")), **scaling}
        text["rope_scaling"] = {k: v for k, v in rope.items() if k != "type"}
    if text["model_type"] == "llama":
        text["attention_bias"] = bool(llm.get("bias", False))
    return text


def _vision_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of InternViT as of transformers; absent values are InternViT's own."""
    vision = config["vision_config"]
    side = config.get("force_image_size") or vision.get("image_size", 448)
    return {
        "hidden_size": vision.get("hidden_size", 3200),
        "intermediate_size": vision.get("intermediate_size", 12800),
        "num_hidden_layers": vision.get("num_hidden_layers", 48),
        "num_attention_heads": vision.get("num_attention_heads", 25),
        "hidden_act": vision.get("hidden_act", "gelu"),
        "layer_norm_eps": vision.get("layer_norm_eps", 1e-6),
        "norm_type": vision.get("norm_type", "rms_norm"),
        "use_qk_norm": vision.get("qk_normalization", True),
        "attention_bias": vision.get("qkv_bias", False),
        "image_size": int(side),
        "patch_size": int(vision.get("patch_size", 14)),
        "use_absolute_position_embeddings": True,
    }


def _recipes(checkpoint: Checkpoint, config: Any) -> dict[str, Recipe]:
    """The weights under their new names, with queries, keys and values apart."""
    names = [n for n in checkpoint.weights.shapes if not n.endswith("inv_freq")]
    vision = rename_all((n for n in names if n.startswith("vision_model.")), VISION_RULES)
    others = rename_all(
        (n for n in names if not n.startswith("vision_model.")), PROJECTOR_RULES + TEXT_RULES
    )
    recipes: dict[str, Recipe] = {}
    for name, recipe in {**vision, **others}.items():
        if ".attention.qkv." in name:
            recipes |= _third_parts(name, recipe, config.vision_config.hidden_size)
        elif ".self_attn.wqkv." in name:
            recipes |= _grouped_parts(name, recipe, config.text_config)
        else:
            recipes[name] = recipe
    return recipes


def _third_parts(name: str, recipe: Recipe, width: int) -> dict[str, Recipe]:
    """Queries, keys and values of InternViT, which lie one after the other."""
    return {
        name.replace(".qkv.", f".{letter}_proj."): Recipe(
            recipe.sources, rows(number * width, (number + 1) * width)
        )
        for number, letter in enumerate("qkv")
    }


def _grouped_parts(name: str, recipe: Recipe, config: Any) -> dict[str, Recipe]:
    """Queries, keys and values of InternLM2, which lie by groups of heads that share a key."""
    width = config.hidden_size // config.num_attention_heads
    queries = config.num_attention_heads // config.num_key_value_heads
    spans = {"q": (0, queries), "k": (queries, queries + 1), "v": (queries + 1, queries + 2)}
    return {
        name.replace(".wqkv.", f".{letter}_proj."): Recipe(
            recipe.sources, partial(_of_groups, width=width, group=queries + 2, span=span)
        )
        for letter, span in spans.items()
    }


def _of_groups(
    tensors: Sequence[torch.Tensor], *, width: int, group: int, span: tuple[int, int]
) -> torch.Tensor:
    """Heads of each group of a tensor ``(groups * group * width, d)``."""
    (tensor,) = tensors
    heads = tensor.reshape(-1, group, width, *tensor.shape[1:])
    return heads[:, span[0] : span[1]].reshape(-1, *tensor.shape[1:])


def _tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer with the names of the image tokens that the processor reads."""
    names = {**MARKS, "video_token": VIDEO}
    tokenizer = local_tokenizer(checkpoint.folder, extra_special_tokens=names)
    missing = [m for m in MARKS.values() if m not in local_tokenizer(checkpoint.folder).get_vocab()]
    if missing:
        raise BackendUnavailable(
            f"The tokenizer in {checkpoint.folder} lacks {', '.join(missing)}.",
            "Download the tokenizer of this model again.",
        )
    return tokenizer


def _processor(config: Mapping[str, Any], tokenizer: Any, side: int, length: int) -> Any:
    import transformers
    from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    images = transformers.GotOcr2ImageProcessor(
        size={"height": side, "width": side},
        image_mean=IMAGENET_DEFAULT_MEAN,
        image_std=IMAGENET_DEFAULT_STD,
        min_patches=int(config.get("min_dynamic_patch", 1)),
        max_patches=int(config.get("max_dynamic_patch", 6)),
        crop_to_patches=bool(config.get("dynamic_image_size", False)),
    )
    return transformers.InternVLProcessor(
        images,
        tokenizer,
        transformers.InternVLVideoProcessor(size={"height": side, "width": side}),
        image_seq_length=length,
        chat_template=HERMES if config.get("template") == "Hermes-2" else CHATML,
    )


def _generation(text: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
    """The end of a turn, which the authors set in their conversation format, ends an answer."""
    vocabulary = tokenizer.get_vocab()
    ends = [vocabulary[m] for m in ("<|im_end|>", "<|endoftext|>", "</s>") if m in vocabulary]
    ends = ends or [text["eos_token_id"]]
    return {"eos_token_id": ends, "pad_token_id": tokenizer.pad_token_id or ends[-1]}
