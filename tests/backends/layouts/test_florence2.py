"""Florence-2 under its authors' names is converted to the same model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers as hf

from napari_medvlm.backends.detection.florence import FlorenceBackend
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.detection.queries import asked, force, picture, volume_of
from tests.backends.layouts.published_florence2 import florence2, florence2_authors, tokenizer

PROMPT = "<CAPTION_TO_PHRASE_GROUNDING>Locate the phrases in the caption: left kidney."


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Path:
    return convert(florence2_authors(tmp_path_factory.mktemp("RioJune") / "AG-KD")).folder


@pytest.fixture
def backend(converted, monkeypatch):
    monkeypatch.setattr(
        FlorenceBackend, "settings", {**FlorenceBackend.settings, "max_new_tokens": 16}
    )
    backend = FlorenceBackend()
    backend.load(str(converted), "cpu")
    return backend


def test_the_weights_are_those_of_the_library(converted):
    expected = florence2().state_dict()
    got = hf.Florence2ForConditionalGeneration.from_pretrained(converted).state_dict()
    assert set(got) == set(expected)
    assert [name for name in got if not torch.equal(got[name], expected[name])] == []


def test_the_backend_writes_the_tokens_of_the_original(backend):
    volume, slice_ref = volume_of("square")
    shown = framed(picture(volume, slice_ref).pixels, backend._row.square)
    assert backend._row.title.startswith("AG-KD")
    assert shown.pixels.shape == (512, 512, 3)
    text, score = backend._write(shown, PROMPT)
    processor, count = backend._loaded.processor, len(tokenizer())
    inputs = processor(text=[PROMPT], images=[shown.pixels], return_tensors="pt")
    assert (inputs["input_ids"] == count).sum() == 5  # of an image of 64 pixels: 2 x 2 and 1
    with torch.inference_mode():
        out = florence2().generate(
            **inputs, do_sample=False, num_beams=3, max_new_tokens=16, suppress_tokens=[count]
        )
    assert text == backend._loaded.text(out[0].tolist())
    assert 0 < score < 1


def test_boxes_are_read_from_its_text(backend):
    force(backend, "left kidney<loc_400><loc_450><loc_550><loc_600>")
    (region,) = asked(backend, *volume_of("square"), "left kidney").regions
    assert region.name == "left kidney"


def test_the_authors_folder_is_refused_with_the_command(tmp_path):
    source = florence2_authors(tmp_path / "AG-KD")
    with pytest.raises(BackendUnavailable, match="napari-medvlm models convert"):
        FlorenceBackend().load(str(source), "cpu")
