"""A small Qwen2.5-VL that always gives one answer and ends: ``python -m
tests.backends.openai_server.fixed_answer FOLDER`` writes it, for servers that are tried by hand.

Its layers add nothing, so the last token alone decides about the next: each token of the answer
leads to the one behind it, the last to the end.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import torch
import transformers as hf

from tests.backends import tiny_models as tiny

START = "assistant\n"
BOX = '[{"bbox_2d": [140, 56, 280, 196], "label": "right kidney"}]'
PIECES = ("The right kidney", " is larger", " than the left", " kidney.", "\n", BOX)
ANSWER = "".join(PIECES)
"""A sentence and a box, in pixels of the picture as the model sees it."""
WIDTH, HEADS = 128, 4
"""vLLM on CPUs takes heads of 32 features and more."""


def fixed_answer(folder: Path) -> Path:
    """Save the model, its tokenizer and processor in a folder."""
    torch.manual_seed(3)
    tokenizer = tiny.word_tokenizer(
        tiny.QWEN_TOKENS, more=[START, *PIECES], eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    model = hf.Qwen2_5_VLForConditionalGeneration(_config(len(tokenizer)))
    chain = tokenizer.convert_tokens_to_ids([START, *PIECES, "<|im_end|>"])
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "language_model" in name and name.endswith(("o_proj.weight", "down_proj.weight")):
                weights.zero_()
        tokens = model.get_input_embeddings().weight.normal_()
        head = model.get_output_embeddings().weight.zero_()
        for this, following in pairwise(chain):
            head[following] += 0.3 * tokens[this] / tokens[this].pow(2).mean().sqrt()
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 336 * 336})
    processor = hf.Qwen2_5_VLProcessor(
        images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=tiny._qwen_chat()
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _config(words: int) -> hf.Qwen2_5_VLConfig:
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]}
    return hf.Qwen2_5_VLConfig(
        text_config={
            **tiny.TEXT, "hidden_size": WIDTH, "intermediate_size": 64, "vocab_size": words,
            "num_attention_heads": HEADS, "num_key_value_heads": 2, "rope_parameters": rope,
            "max_position_embeddings": 32768, "tie_word_embeddings": False,
        },
        vision_config={
            "depth": 1, "hidden_size": 64, "intermediate_size": 64, "num_heads": 2,
            "out_hidden_size": WIDTH, "fullatt_block_indexes": [0],
        },
        tie_word_embeddings=False,
        **tiny._qwen_ids(),
    )  # fmt: skip


if __name__ == "__main__":
    fixed_answer(Path(sys.argv[1]))
