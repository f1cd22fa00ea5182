"""Small checkpoints with random weights, as the library itself saves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers as hf
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

torch.set_num_threads(1)  # in models as small, threads only get in each other's way

WORDS = (
    *("left", "right", "kidney", "spleen", "lung", "nodule", "tumour"),
    *("of", "the", "a", "in", "with", "bright", "dark"),
)


def dino(folder: Path) -> Path:
    """Grounding DINO with BERT's numbers for the tokens that part phrases."""
    torch.manual_seed(0)
    small = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    config = hf.GroundingDinoConfig(
        backbone_config=hf.SwinConfig(
            image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 2, 2],
            window_size=4, out_features=["stage1", "stage2", "stage3"],
        ),
        text_config=hf.BertConfig(
            vocab_size=1100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32,
        ),
        d_model=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=12,
        num_feature_levels=3, disable_custom_kernels=True, max_text_len=16, **small,
    )  # fmt: skip
    model = hf.GroundingDinoForObjectDetection(config)
    _spread(model, 3.0)
    token_numbers = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
    words = {word: 200 + k for k, word in enumerate(WORDS)}
    fillers = {f"[unused{k}]": k for k in range(1100)}
    taken = set(token_numbers.values()) | set(words.values())
    vocabulary = {name: k for name, k in fillers.items() if k not in taken} | token_numbers | words
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=512,
    )  # fmt: skip
    images = hf.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})
    return _saved(folder, model, hf.GroundingDinoProcessor(images, fast))


def owl(folder: Path) -> Path:
    """OWLv2, which pads pictures to a square."""
    torch.manual_seed(1)
    layers = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }  # fmt: skip
    tokenizer = word_tokenizer(
        ["<unk>", "<start>", "<end>", "<pad>"], ends=("<start>", "<end>"), bos_token="<start>",
        eos_token="<end>", pad_token="<pad>", model_max_length=16,
    )  # fmt: skip
    config = hf.Owlv2Config(
        text_config={**layers, "vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 2},
        vision_config={**layers, "image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    model = hf.Owlv2ForObjectDetection(config)
    for part in (model.class_head.logit_scale, model.class_head.logit_shift):
        _spread(part, 0.0)
    _spread(model.box_head, 0.3)
    images = hf.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    return _saved(folder, model, hf.Owlv2Processor(images, tokenizer))


def word_tokenizer(
    special: Sequence[str],
    *,
    ends: tuple[str, str] = ("", ""),
    more: Sequence[str] = (),
    **names: str | int | dict[str, str],
) -> hf.PreTrainedTokenizerFast:
    """A tokenizer of `WORDS` and single characters, so that any text can be written in it.

    Parameters
    ----------
    special
        Tokens that the library must know as special ones.
    ends
        What is put before and behind each text.
    more
        Further tokens that are found in a text as they are.
    names
        As the library calls special tokens: ``eos_token="</s>"``.
    """
    characters = [chr(k) for k in range(32, 127)]
    vocabulary = {token: k for k, token in enumerate([*special, *more, *WORDS, *characters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token=special[0]))
    tokenizer.decoder = decoders.Fuse()
    words = [AddedToken(word, single_word=True) for word in WORDS]
    tokenizer.add_special_tokens([AddedToken(token) for token in special])
    tokenizer.add_tokens([AddedToken(token) for token in more] + words)
    start, end = ends
    if start:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A {end}",
            special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])],
        )
    return hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=special[0], **names)


def _spread(model: torch.nn.Module, factor: float) -> None:
    """Scale random weights, so that boxes and scores differ from each other."""
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(factor)


def _saved(folder: Path, model: hf.PreTrainedModel, processor: hf.ProcessorMixin) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def florence(folder: Path) -> Path:
    """Florence-2 with all of its location tokens."""
    torch.manual_seed(2)
    tokenizer = word_tokenizer(
        ["<unk>", "<pad>", "</s>", "<s>", "<image>"], more=[f"<loc_{n}>" for n in range(1000)],
        bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    config = hf.Florence2Config(
        vision_config={
            "depths": [1, 1], "patch_size": [7, 3], "patch_stride": [8, 4], "patch_padding": [3, 1],
            "patch_prenorm": [False, True], "embed_dim": [8, 16], "num_heads": [1, 2],
            "num_groups": [1, 2], "window_size": 4, "projection_dim": 16,
        },
        text_config={
            "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 16,
            "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
            "bos_token_id": 3, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
            "forced_eos_token_id": 2,
        },
        image_token_id=4,
    )  # fmt: skip
    model = hf.Florence2ForConditionalGeneration(config)
    read = {"phrase_grounding": {"banned_grounding_tokens": []}}
    images = hf.CLIPImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=False, image_seq_length=5
    )
    return _saved(
        folder, model, hf.Florence2Processor(images, tokenizer, post_processor_config=read)
    )


CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}IMAGE{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "eos_token_id": 1, "bos_token_id": None, "pad_token_id": 2,
}  # fmt: skip
QWEN_TOKENS = (
    *("<unk>", "<|im_end|>", "<|endoftext|>", "<|im_start|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)


def qwen25(folder: Path) -> Path:
    """Qwen2.5-VL, whose processor makes sides of pictures multiples of 28."""
    torch.manual_seed(3)
    tokenizer = _chat_tokenizer(QWEN_TOKENS)
    config = hf.Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
            "out_hidden_size": 32, "fullatt_block_indexes": [0],
        },
        **_qwen_ids(),
    )  # fmt: skip
    model = hf.Qwen2_5_VLForConditionalGeneration(config)
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    processor = hf.Qwen2_5_VLProcessor(
        images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=_qwen_chat()
    )
    return _saved(folder, model, processor)


def qwen2(folder: Path) -> Path:
    """Qwen2-VL, which writes thousandths of the picture in tags of its own."""
    torch.manual_seed(3)
    tokenizer = _chat_tokenizer(QWEN_TOKENS)
    config = hf.Qwen2VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2,
        },
        **_qwen_ids(),
    )  # fmt: skip
    model = hf.Qwen2VLForConditionalGeneration(config)
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    processor = hf.Qwen2VLProcessor(
        images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=_qwen_chat()
    )
    return _saved(folder, model, processor)


def qwen3(folder: Path) -> Path:
    """Qwen3-VL, which writes thousandths of the picture."""
    torch.manual_seed(4)
    tokenizer = _chat_tokenizer(QWEN_TOKENS)
    config = hf.Qwen3VLConfig(
        text_config={
            **TEXT,
            "head_dim": 16,
            "vocab_size": len(tokenizer),
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
            "out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
        },
        **_qwen_ids(),
    )  # fmt: skip
    model = hf.Qwen3VLForConditionalGeneration(config)
    images = hf.Qwen2VLImageProcessor(
        patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    )
    processor = hf.Qwen3VLProcessor(
        images, tokenizer, hf.Qwen3VLVideoProcessor(), chat_template=_qwen_chat()
    )
    return _saved(folder, model, processor)


def internvl(folder: Path) -> Path:
    """InternVL, which cuts pictures into tiles."""
    torch.manual_seed(5)
    names = {"start": "<img>", "end": "</img>", "context": "<IMG_CONTEXT>"}
    special = ("<unk>", "<|im_end|>", "<|endoftext|>", "<|im_start|>", *names.values(), "<video>")
    tokenizer = _chat_tokenizer(
        special,
        extra_special_tokens={
            **{f"{where}_image_token": token for where, token in names.items()},
            "video_token": "<video>",
        },
    )
    config = hf.InternVLConfig(
        text_config={"model_type": "qwen2", **TEXT, "vocab_size": len(tokenizer)},
        vision_config={
            "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 32, "image_size": [28, 28], "patch_size": [7, 7],
        },
        image_token_id=special.index("<IMG_CONTEXT>"),
        image_seq_length=4,
    )  # fmt: skip
    model = hf.InternVLForConditionalGeneration(config)
    images = hf.GotOcr2ImageProcessor(size={"height": 28, "width": 28}, max_patches=4)
    processor = hf.InternVLProcessor(
        images, tokenizer, hf.InternVLVideoProcessor(), image_seq_length=4,
        chat_template=CHAT.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )  # fmt: skip
    return _saved(folder, model, processor)


def _chat_tokenizer(special: Sequence[str], **names: dict[str, str]) -> hf.PreTrainedTokenizerFast:
    return word_tokenizer(
        special, more=["\n"], eos_token="<|im_end|>", pad_token="<|endoftext|>", **names
    )


def _qwen_chat() -> str:
    return CHAT.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")


def _qwen_ids() -> dict[str, int]:
    names = {"image": "<|image_pad|>", "video": "<|video_pad|>", "vision_start": "<|vision_start|>"}
    return {f"{name}_token_id": QWEN_TOKENS.index(token) for name, token in names.items()}


def paligemma(folder: Path) -> Path:
    """PaliGemma, which has no chat template and writes places as tokens."""
    torch.manual_seed(6)
    special = ("<unk>", "<eos>", "<pad>", "<bos>", "<image>")
    token_numbers = [f"<loc{n:04d}>" for n in range(1024)] + [f"<seg{n:03d}>" for n in range(128)]
    tokenizer = word_tokenizer(
        special, more=[*token_numbers, "\n"], bos_token="<bos>", eos_token="<eos>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    config = hf.PaliGemmaConfig(
        text_config={
            **TEXT, "model_type": "gemma", "head_dim": 16, "vocab_size": len(tokenizer),
            "bos_token_id": 3,
        },
        vision_config={
            "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
            "projection_dim": 32, "vision_use_head": False,
        },
        image_token_index=special.index("<image>"), projection_dim=32,
    )  # fmt: skip
    model = hf.PaliGemmaForConditionalGeneration(config)
    images = hf.SiglipImageProcessor(size={"height": 28, "width": 28}, image_seq_length=4)
    return _saved(folder, model, hf.PaliGemmaProcessor(images, tokenizer))
