"""More small image-text models with random weights: those whose boxes are not asked for."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf

from tests.backends.tiny_models import CHAT, TEXT, _chat_tokenizer, _saved

SIGNS = ("<unk>", "<|im_end|>", "<|endoftext|>", "<|im_start|>", "<image>")
VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip
WITHOUT_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHAT
)
DEAF_TO_SYSTEM = CHAT.replace(
    "{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"
)


def llava_next(folder: Path) -> Path:
    """LLaVA-NeXT, whose template passes over system messages."""
    torch.manual_seed(7)
    tokenizer = _chat_tokenizer(SIGNS, extra_special_tokens={"image_token": "<image>"})
    config = hf.LlavaNextConfig(
        text_config={"model_type": "qwen2", **TEXT, "vocab_size": len(tokenizer)},
        vision_config={
            "model_type": "clip_vision_model", **VISION, "image_size": 28, "patch_size": 14,
        },
        image_token_index=SIGNS.index("<image>"),
        image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
        vision_feature_layer=-1,
    )  # fmt: skip
    model = hf.LlavaNextForConditionalGeneration(config)
    images = hf.LlavaNextImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28},
        image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
    )  # fmt: skip
    processor = hf.LlavaNextProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=DEAF_TO_SYSTEM.replace("IMAGE", "<image>\n"),
    )  # fmt: skip
    return _saved(folder, model, processor)


def idefics3(folder: Path) -> Path:
    """Idefics3, of which SmolVLM is made; it writes each picture as rows of many signs."""
    torch.manual_seed(8)
    signs = (*SIGNS[:4], "<image>", "<fake_token_around_image>", "<end_of_utterance>")
    more = [f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)]
    tokenizer = _chat_tokenizer((*signs, "<global-img>", *more))
    config = hf.Idefics3Config(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer)},
        vision_config={**VISION, "image_size": 28, "patch_size": 7},
        image_token_id=signs.index("<image>"),
        scale_factor=2,
        pad_token_id=2,
    )
    model = hf.Idefics3ForConditionalGeneration(config)
    images = hf.Idefics3ImageProcessor(
        size={"longest_edge": 56}, max_image_size={"longest_edge": 28}, do_image_splitting=True
    )
    processor = hf.Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=CHAT.replace("IMAGE", "<image>")
    )
    return _saved(folder, model, processor)


def gemma3(folder: Path) -> Path:
    """Gemma 3, of which MedGemma is made; this template refuses system messages."""
    torch.manual_seed(9)
    names = {"boi": "<start_of_image>", "eoi": "<end_of_image>", "image": "<image_soft_token>"}
    signs = (*SIGNS[:4], *names.values(), "<bos>")
    tokenizer = _chat_tokenizer(
        (*signs, "<unused94>", "<unused95>"),
        bos_token="<bos>",
        extra_special_tokens={f"{name}_token": sign for name, sign in names.items()},
    )
    config = hf.Gemma3Config(
        text_config={
            **TEXT, "head_dim": 16, "vocab_size": len(tokenizer), "bos_token_id": 7,
            "sliding_window": 512,
        },
        vision_config={**VISION, "image_size": 28, "patch_size": 14, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=signs.index("<start_of_image>"),
        eoi_token_index=signs.index("<end_of_image>"),
        image_token_index=signs.index("<image_soft_token>"),
    )  # fmt: skip
    model = hf.Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)
    images = hf.Gemma3ImageProcessor(size={"height": 28, "width": 28}, do_pan_and_scan=False)
    processor = hf.Gemma3Processor(
        images, tokenizer, image_seq_length=4,
        chat_template=WITHOUT_SYSTEM.replace("IMAGE", "<start_of_image>"),
    )  # fmt: skip
    return _saved(folder, model, processor)
