"""Small checkpoints with random weights, as the library itself saves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

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
    places = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
    words = {word: 200 + k for k, word in enumerate(WORDS)}
    fillers = {f"[unused{k}]": k for k in range(1100)}
    taken = set(places.values()) | set(words.values())
    vocabulary = {name: k for name, k in fillers.items() if k not in taken} | places | words
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
    config = hf.Owlv2Config(
        text_config={**layers, "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2},
        vision_config={**layers, "image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    model = hf.Owlv2ForObjectDetection(config)
    for part in (model.class_head.logit_scale, model.class_head.logit_shift):
        _spread(part, 0.0)
    _spread(model.box_head, 0.3)
    tokenizer = word_tokenizer(["<pad>", "<start>", "<end>", "<unk>"], bos="<start>", eos="<end>")
    tokenizer.model_max_length = 16
    images = hf.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    return _saved(folder, model, hf.Owlv2Processor(images, tokenizer))


def word_tokenizer(special: Sequence[str], *, bos: str, eos: str) -> hf.PreTrainedTokenizerFast:
    """A tokenizer of `WORDS`, which puts a start before a text and an end behind it."""
    vocabulary = {word: k for k, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, vocabulary[bos]), (eos, vocabulary[eos])]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token=bos,
        eos_token=eos,
    )  # fmt: skip


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
