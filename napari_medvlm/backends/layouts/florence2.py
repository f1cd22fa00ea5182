"""Florence-2 in the layout of its authors, in which AG-KD and K2Sight are published.

Weights and configuration: the code that https://huggingface.co/microsoft/Florence-2-base brings,
``modeling_florence2.py``. Its image encoder is DaViT, its language model BART.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import Recipe, padded_rows, rename_all
from napari_medvlm.backends.layouts.tokenizers import local_tokenizer
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

IMAGE = "<image>"
SHARED = "model.language_model.shared.weight"
TIED = (
    SHARED,
    "model.language_model.encoder.embed_tokens.weight",
    "model.language_model.decoder.embed_tokens.weight",
    "lm_head.weight",
)
"""Names of the embeddings of tokens, which are one weight."""
UNUSED = (r"final_logits_bias$",)
DAVIT_RULES = (
    (r"(\.convs\.\d+)\.proj\.", r"\1.conv."),
    (r"(\.conv[12])\.fn\.dw\.", r"\1."),
    (r"\.(window_attn|channel_attn)\.norm\.", ".norm1."),
    (r"\.(window_attn|channel_attn)\.fn\.", r".\1."),
    (r"\.ffn\.norm\.", ".norm2."),
    (r"\.ffn\.fn\.net\.", ".ffn."),
)
"""Names in the image encoder, which MedImageInsight has too."""
RULES = (
    (r"^image_projection$", "model.multi_modal_projector.image_projection.weight"),
    (r"^image_proj_norm\.", "model.multi_modal_projector.image_proj_norm."),
    (r"^image_pos_embed\.", "model.multi_modal_projector.image_position_embed."),
    (r"^visual_temporal_embed\.", "model.multi_modal_projector.visual_temporal_embed."),
    (r"^vision_tower\.", "model.vision_tower."),
    *DAVIT_RULES,
    (r"^language_model\.model\.", "model.language_model."),
    (r"^language_model\.lm_head\.", "lm_head."),
)
SIDE = 768


class Florence2Layout(Layout):
    """``florence2`` with the configuration of DaViT that the authors' own code reads."""

    name = "florence2"
    title = "Florence-2 with code of its own (microsoft/Florence-2, AG-KD, K2Sight)"
    backend = "florence"

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By its model type and the names in its configuration of the image encoder."""
        vision = checkpoint.config.get("vision_config")
        return (
            checkpoint.config.get("model_type") == "florence2"
            and isinstance(vision, Mapping)
            and "dim_embed" in vision
        )

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To `Florence2ForConditionalGeneration`, with a token for images if it has none."""
        import transformers

        names = [n for n in checkpoint.weights.shapes if not n.endswith("final_logits_bias")]
        recipes = rename_all(names, RULES)
        source = next(recipes[name] for name in TIED if name in recipes)
        tokenizer = local_tokenizer(checkpoint.folder, extra_special_tokens={"image_token": IMAGE})
        token = tokenizer.convert_tokens_to_ids(IMAGE)
        count = checkpoint.weights.shapes[source.sources[0]][0]
        size = max(count, token + 1)
        for name in TIED:
            if name in recipes or name == SHARED:
                recipes[name] = Recipe(recipes.get(name, source).sources, padded_rows(size))
        text = checkpoint.config["text_config"]
        config = transformers.Florence2Config(
            vision_config=_vision_config(checkpoint.config),
            text_config=_text_config(text, size),
            image_token_id=token,
        )
        return Conversion(
            "Florence2ForConditionalGeneration",
            config,
            recipes,
            _processor(checkpoint, tokenizer, prod(config.vision_config.patch_stride)),
            unused=UNUSED,
            generation={**_generation(text), "suppress_tokens": list(range(count, size)) or None},
        )


def _vision_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of DaViT as of transformers."""
    vision = config["vision_config"]
    positions, times = vision["image_pos_embed"], vision["visual_temporal_embedding"]
    if (positions.get("type"), times.get("type")) != ("learned_abs_2d", "COSINE"):
        raise BackendUnavailable(
            f"The image encoder has positions of type {positions.get('type')} and times of type "
            f"{times.get('type')}, which the Florence-2 of transformers does not compute.",
            "Choose a model that was tuned from Florence-2-base or -large.",
        )
    same = (
        *("depths", "drop_path_rate", "num_groups", "num_heads", "patch_padding", "patch_prenorm"),
        *("patch_size", "patch_stride", "projection_dim", "window_size"),
    )
    return {
        **{key: vision[key] for key in same if key in vision},
        "embed_dim": vision["dim_embed"],
        "max_position_embeddings": positions["max_pos_embeddings"],
        "max_temporal_embeddings": times["max_temporal_embeddings"],
    }


def _text_config(text: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The configuration of BART as of transformers."""
    same = ("activation_dropout", "activation_function", "attention_dropout", "bos_token_id",
            "d_model", "decoder_attention_heads", "decoder_ffn_dim", "decoder_layers",
            "decoder_start_token_id", "dropout", "encoder_attention_heads", "encoder_ffn_dim",
            "encoder_layers", "eos_token_id", "forced_eos_token_id", "max_position_embeddings",
            "pad_token_id", "scale_embedding")  # fmt: skip
    return {
        **{key: text[key] for key in same if text.get(key) is not None},
        "model_type": "bart",
        "vocab_size": size,
    }


def _generation(text: Mapping[str, Any]) -> dict[str, Any]:
    """How it writes, as its configuration states."""
    same = ("bos_token_id", "decoder_start_token_id", "eos_token_id", "forced_bos_token_id",
            "forced_eos_token_id", "no_repeat_ngram_size", "pad_token_id")  # fmt: skip
    return {key: text[key] for key in same if text.get(key) is not None}


def _processor(checkpoint: Checkpoint, tokenizer: Any, stride: int) -> Any:
    """The processor, with the image size and colours that the folder states."""
    import transformers
    from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    try:
        text = (checkpoint.folder / "preprocessor_config.json").read_text("utf-8")
        stated: Mapping[str, Any] = json.loads(text)
    except DAMAGED:
        stated = {}
    size = stated.get("size", {})
    side = {"height": size.get("height", SIDE), "width": size.get("width", SIDE)}
    images = transformers.CLIPImageProcessor(
        size=side,
        do_center_crop=False,
        image_mean=stated.get("image_mean", IMAGENET_DEFAULT_MEAN),
        image_std=stated.get("image_std", IMAGENET_DEFAULT_STD),
        resample=stated.get("resample", 3),
        image_seq_length=(side["height"] // stride) * (side["width"] // stride) + 1,
    )
    settings: dict[str, Any] = {"phrase_grounding": {"banned_grounding_tokens": []}}
    return transformers.Florence2Processor(images, tokenizer, post_processor_config=settings)
