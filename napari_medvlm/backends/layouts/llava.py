"""LLaVA 1.5 in the layout of its authors, in which LLaVA-Med 1.5 is published.

Weights and configuration: https://github.com/haotian-liu/LLaVA, ``llava/model``; the conversation
formats: ``llava/conversation.py`` (``v1`` for Vicuna, ``mistral_instruct`` for Mistral).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.chat_templates import LLAMA3, MISTRAL, VICUNA
from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import Recipe, padded_rows, rename_all
from napari_medvlm.backends.layouts.tokenizers import local_tokenizer
from napari_medvlm.backends.layouts.vision import CLIP_MEAN, CLIP_STD, clip_config
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.data.errors import BackendUnavailable

IMAGE = "<image>"
BASE = "vision_base:"
"""Prefix of the weights of the vision tower, where they come from another model."""
RULES = (
    (r"^vision_base:(?:vision_model\.)?", "model.vision_tower."),
    (r"^model\.vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?", "model.vision_tower."),
    (r"^model\.mm_projector\.0\.", "model.multi_modal_projector.linear_1."),
    (r"^model\.mm_projector\.2\.", "model.multi_modal_projector.linear_2."),
    (r"^model\.(embed_tokens|layers|norm)\.", r"model.language_model.\1."),
)
MULTIPLE = 64
"""The vocabulary with the image token is padded to a multiple of this."""


class LlavaLayout(Layout):
    """``llava_mistral`` and ``llava_llama``: a CLIP tower, two layers, and a language model."""

    name = "llava"
    title = "LLaVA 1.5 (llava_mistral, llava_llama)"
    backend = "vlm"

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By the classes or the model type of its configuration."""
        config = checkpoint.config
        return "mm_vision_tower" in config and (
            config.get("model_type") in ("llava_mistral", "llava_llama")
            or bool({"LlavaMistralForCausalLM", "LlavaLlamaForCausalLM"}
                    & {*checkpoint.architectures})
        )  # fmt: skip

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To `LlavaForConditionalGeneration`, with a token for images behind the vocabulary."""
        import transformers

        config = checkpoint.config
        _refuse_other_parts(config)
        shapes = checkpoint.weights.shapes
        names = [n for n in shapes if not _is_unused(n)]
        bases: dict[str, WeightFiles] = {}
        if not any(name.startswith("model.vision_tower.") for name in names):
            bases[BASE] = WeightFiles(base_folder(str(config["mm_vision_tower"])))
            names += [f"{BASE}{n}" for n in bases[BASE].shapes if _is_of_vision(n)]
        recipes = rename_all(names, RULES)
        token = shapes["model.embed_tokens.weight"][0]
        size = -(-(token + 1) // MULTIPLE) * MULTIPLE
        for name in ("model.language_model.embed_tokens.weight", "lm_head.weight"):
            source = recipes.get(name, Recipe(("model.embed_tokens.weight",)))
            recipes[name] = Recipe(source.sources, padded_rows(size))
        vision = clip_config(_tower_shapes(recipes, shapes, bases), _base_config(config))
        text = _text_config(checkpoint, size)
        llava = transformers.LlavaConfig(
            text_config=text,
            vision_config=vision,
            image_token_index=token,
            image_seq_length=(vision["image_size"] // vision["patch_size"]) ** 2,
            vision_feature_layer=int(config.get("mm_vision_select_layer", -2)),
            vision_feature_select_strategy=_strategy(config),
        )
        processor = _processor(checkpoint, llava, token)
        ends = _ends(config, processor.tokenizer)
        return Conversion(
            "LlavaForConditionalGeneration",
            llava,
            recipes,
            processor,
            unused=(r"inv_freq$", r"position_ids$", r"^model\.image_newline$"),
            generation={
                "bos_token_id": config.get("bos_token_id", 1),
                "eos_token_id": ends,
                "pad_token_id": config.get("pad_token_id") or _first(ends),
                "suppress_tokens": list(range(token, size)),
            },
            bases=bases,
        )


def _is_unused(name: str) -> bool:
    return name.endswith(("inv_freq", "position_ids")) or name == "model.image_newline"


def _is_of_vision(name: str) -> bool:
    """Whether a weight of a CLIP model belongs to its vision tower; its projection does not."""
    plain = name.removeprefix("vision_model.")
    return not name.startswith("text_model.") and plain.startswith(
        ("embeddings.class_embedding", "embeddings.patch", "embeddings.position_embedding",
         "encoder.", "pre_layrnorm.", "post_layernorm.")
    )  # fmt: skip


def _ends(config: Mapping[str, Any], tokenizer: Any) -> Any:
    """The tokens that end an answer; with Llama 3 the end of a turn is one."""
    stated = config.get("eos_token_id", 2)
    if not _is_llama3(tokenizer):
        return stated
    listed = stated if isinstance(stated, list) else [stated]
    return sorted({*listed, tokenizer.convert_tokens_to_ids("<|eot_id|>")})


def _is_llama3(tokenizer: Any) -> bool:
    return bool({"<|start_header_id|>", "<|eot_id|>"} <= tokenizer.get_vocab().keys())


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _strategy(config: Mapping[str, Any]) -> str:
    return "full" if config.get("mm_vision_select_feature") == "cls_patch" else "default"


def _refuse_other_parts(config: Mapping[str, Any]) -> None:
    """Refuse versions of LLaVA that `LlavaForConditionalGeneration` does not compute."""
    projector = config.get("mm_projector_type", "linear")
    aspect = config.get("image_aspect_ratio", "square")
    for value, known, name in (
        (projector, ("mlp2x_gelu",), "mm_projector_type"),
        (aspect, ("pad", "square", None), "image_aspect_ratio"),
        (config.get("mm_use_im_start_end", False), (False,), "mm_use_im_start_end"),
        (config.get("tune_mm_mlp_adapter", False), (False,), "tune_mm_mlp_adapter"),
    ):
        if value not in known:
            raise BackendUnavailable(
                f"The model has {name} {value!r}, which cannot be converted.",
                "Choose a checkpoint of LLaVA 1.5 with all of its weights, or a version of the "
                "model for transformers.",
            )


def _base_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the vision tower's base model, if it is installed."""
    try:
        folder = base_folder(str(config["mm_vision_tower"]))
    except BackendUnavailable:
        return {}
    base = Checkpoint(folder).config
    return base.get("vision_config") or (
        base if base.get("model_type") == "clip_vision_model" else {}
    )


def _tower_shapes(
    recipes: Mapping[str, Recipe],
    shapes: Mapping[str, tuple[int, ...]],
    bases: Mapping[str, WeightFiles],
) -> dict[str, tuple[int, ...]]:
    """Shapes of the vision tower's weights by their names in it."""
    prefix = "model.vision_tower."
    tower = {}
    for name, recipe in recipes.items():
        if name.startswith(prefix):
            (source,) = recipe.sources
            base = bases.get(BASE)
            tower[name.removeprefix(prefix)] = (
                base.shapes[source.removeprefix(BASE)] if base else shapes[source]
            )
    return tower


def _text_config(checkpoint: Checkpoint, vocabulary: int) -> dict[str, Any]:
    config = checkpoint.config
    text = {
        key: value
        for key, value in config.items()
        if not key.startswith(("mm_", "image_", "tune_", "freeze_", "_", "use_mm"))
        and key not in ("architectures", "auto_map", "torch_dtype", "transformers_version")
    }
    kind = "mistral" if _is_mistral(checkpoint) else "llama"
    return {**text, "model_type": kind, "vocab_size": vocabulary}


def _is_mistral(checkpoint: Checkpoint) -> bool:
    return (
        checkpoint.config.get("model_type") == "llava_mistral"
        or "LlavaMistralForCausalLM" in checkpoint.architectures
    )


def _processor(checkpoint: Checkpoint, config: Any, token: int) -> Any:
    """The processor with the conversation format of the language model."""
    import transformers

    tokenizer = local_tokenizer(checkpoint.folder)
    if len(tokenizer) > token:
        raise BackendUnavailable(
            f"The tokenizer has {len(tokenizer)} tokens, the model {token}.",
            "Download the tokenizer of this model again.",
        )
    fillers = [f"<unused_{number}>" for number in range(len(tokenizer), token)]
    tokenizer.add_tokens(fillers)
    tokenizer.add_tokens([IMAGE], special_tokens=True)
    side = config.vision_config.image_size
    pad = checkpoint.config.get("image_aspect_ratio") == "pad"
    images = transformers.LlavaImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        do_center_crop=not pad,
        do_pad=pad,
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
    )
    mistral = _is_mistral(checkpoint) or "mistral" in str(checkpoint.path).lower()
    template = MISTRAL if mistral else LLAMA3 if _is_llama3(tokenizer) else VICUNA
    return transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=config.vision_config.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=1,
        chat_template=template,
    )
