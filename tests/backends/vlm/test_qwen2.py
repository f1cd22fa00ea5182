"""Qwen2-VL answers as the library alone does, and its boxes lie where it writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers as hf

from tests.backends.detection.queries import asked, force, picture, volume_of
from tests.backends.tiny_models import (
    QWEN_TOKENS,
    TEXT,
    _chat_tokenizer,
    _qwen_chat,
    _qwen_ids,
    _saved,
    _spread,
)
from tests.backends.vlm.conversations import ByHand, ask, loaded, question_of


def qwen2(folder: Path) -> Path:
    """Qwen2-VL, which writes thousandths of the picture."""
    torch.manual_seed(16)
    tokenizer = _chat_tokenizer(QWEN_TOKENS)
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    config = hf.Qwen2VLConfig(
        text_config={**TEXT, "vocab_size": len(tokenizer), "rope_parameters": rope},
        vision_config={"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2},
        **_qwen_ids(),
    )
    images = hf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    processor = hf.Qwen2VLProcessor(
        images, tokenizer, hf.Qwen2VLVideoProcessor(), chat_template=_qwen_chat()
    )
    model = hf.Qwen2VLForConditionalGeneration(config)
    _spread(model, 8.0)
    return _saved(folder, model, processor)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return qwen2(tmp_path_factory.mktemp("qwen2-vl"))


def test_the_answer_has_the_tokens_of_the_library(folder):
    backend = loaded(folder)
    question = question_of("portrait", "square")
    _, answer = ask(backend, question)
    assert backend._answered_as.title == "Qwen2-VL"
    tokens = ByHand(folder, backend._answered_as).tokens(question)
    assert answer.tokens == len(tokens)
    assert answer.text == backend._loaded.text(tokens)


def test_a_box_is_in_thousandths_of_the_picture(folder):
    backend = loaded(folder)
    force(backend, "<|box_start|>(100,250),(500,750)<|box_end|>")
    volume, slice_ref = volume_of("landscape")
    (region,) = asked(backend, volume, slice_ref, "left kidney").regions
    height, width = picture(volume, slice_ref).size
    corners = picture(volume, slice_ref).pixel_of(region.box.corners())
    assert corners.min(axis=0) == pytest.approx((0.1 * width, 0.25 * height), abs=1e-3)
    assert corners.max(axis=0) == pytest.approx((0.5 * width, 0.75 * height), abs=1e-3)
