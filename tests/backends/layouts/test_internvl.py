"""InternVL under its authors' names is converted to the same model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import transformers as hf

from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.pixel_shuffle import use_shuffle_version
from napari_medvlm.backends.vlm.prompt_inputs import build_inputs
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.layouts.published_internvl import internvl, internvl_authors, shuffled
from tests.backends.vlm.conversations import ask, loaded, question_of

VERSIONS = {
    "InternVL3": ("qwen2", False, "v2"), "InternVL2_5-8B": ("llama", False, "v2"),
    "6B": ("qwen2", True, "v2"), "MedRegA": ("qwen2", True, None),
}  # fmt: skip


@pytest.fixture(scope="module", params=VERSIONS)
def version(request):
    return VERSIONS[request.param]


@pytest.fixture(scope="module")
def converted(version, tmp_path_factory) -> Path:
    kind, normalized, shuffle = version
    source = tmp_path_factory.mktemp("hub") / ("FundusExpert" if shuffle else "medrega")
    authors = internvl_authors(source, kind, normalized=normalized, shuffle=shuffle)
    return convert(authors).folder


def test_the_weights_are_those_of_the_library(version, converted):
    kind, normalized, _ = version
    expected = internvl(kind, normalized=normalized).state_dict()
    got = hf.InternVLForConditionalGeneration.from_pretrained(converted).state_dict()
    assert set(got) == set(expected)
    assert [name for name in got if not torch.equal(got[name], expected[name])] == []


def test_the_backend_answers_with_the_tokens_of_the_original(version, converted):
    kind, normalized, shuffle = version
    backend = loaded(converted, longest=12)
    question = question_of("portrait")
    _, answer = ask(backend, question)
    assert answer.tokens
    seen = build_inputs(backend._loaded, backend._answered_as, question, 12).tensors
    model = internvl(kind, normalized=normalized)
    if shuffle is None:
        model.model.pixel_shuffle = shuffled
    out = model.generate(**seen, do_sample=False, max_new_tokens=12, eos_token_id=[1, 2])
    written = out[0, seen["input_ids"].shape[1] :].tolist()
    assert answer.tokens == len(written)
    assert answer.text == re.sub("</?(ref|box)>", "", backend._loaded.text(written))


def test_both_versions_of_the_shuffle_are_those_of_the_authors():
    patches = torch.arange(2 * 4 * 4 * 3.0).reshape(2, 4, 4, 3)
    model = internvl("qwen2")
    version_2 = model.model.pixel_shuffle(patches, 0.5)
    assert torch.equal(version_2.transpose(1, 2), shuffled(patches))
    use_shuffle_version(model)
    assert torch.equal(model.model.pixel_shuffle(patches, 0.5), version_2)
    model.config.ps_version = "v1"
    use_shuffle_version(model)
    assert torch.equal(model.model.pixel_shuffle(patches, 0.5), shuffled(patches))


def test_images_are_written_as_tiles_between_marks(converted, version):
    processor = hf.AutoProcessor.from_pretrained(converted)
    image = torch.zeros(3, 28, 56, dtype=torch.uint8)
    parts = [{"type": "image", "image": image}, {"type": "text", "text": "Where?"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=True,
        return_dict=True, return_tensors="pt",
    )  # fmt: skip
    text = processor.tokenizer.decode(inputs["input_ids"][0])
    tiles = 3  # two squares and all of it
    end = "\n" if version[2] else ""
    assert inputs["pixel_values"].shape == (tiles, 3, 28, 28)
    assert text == (
        f"<|im_start|>user\n<img>{'<IMG_CONTEXT>' * 4 * tiles}</img>\nWhere?<|im_end|>"
        f"{end}<|im_start|>assistant\n"
    )


def test_the_catalogue_row_of_the_authors_model_is_used(converted, version):
    backend = loaded(converted)
    assert backend._row.title == ("FundusExpert" if version[2] else "MedRegA")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ps_version": "v3"}, "pixel shuffle v3"),
        ({"llm_config": {"architectures": ["Phi3ForCausalLM"]}}, "language model Phi3ForCausalLM"),
    ],
)
def test_what_the_library_does_not_compute_is_refused(tmp_path, change, message):
    source = internvl_authors(tmp_path / "medrega", "qwen2")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BackendUnavailable, match=message):
        convert(source)


def test_the_authors_folder_is_refused_with_the_command(tmp_path):
    source = internvl_authors(tmp_path / "fundus", "qwen2")
    with pytest.raises(BackendUnavailable, match="napari-medvlm models convert"):
        transformers_loader.kind_of(source)
