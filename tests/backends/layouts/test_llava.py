"""LLaVA under its authors' names is converted to the same model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_array_equal
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_medvlm.backends.layouts.convert import convert, default_folder
from napari_medvlm.backends.layouts.table import layout_of
from napari_medvlm.backends.models import registry
from napari_medvlm.backends.models.files import no_progress
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.backends.vlm.backend import VLMBackend
from napari_medvlm.backends.vlm.prompt_inputs import build_inputs
from napari_medvlm.cli import app
from napari_medvlm.cli.models import _summary
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.paths import home
from napari_medvlm.worker.model_status import offer_of
from tests.backends.layouts.published import LICENCE, clip_base, llava, llava_authors
from tests.backends.vlm.conversations import ask, loaded, question_of

KINDS = ("mistral", "llama")


def picture(height: int = 40, width: int = 60) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def chat(text: str) -> list[dict]:
    parts = [{"type": "image", "image": picture()}, {"type": "text", "text": text}]
    return [{"role": "user", "content": parts}]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def converted(kind, tmp_path_factory) -> Path:
    source = llava_authors(tmp_path_factory.mktemp("hub") / f"llava-med-{kind}", kind)
    return convert(source).folder


def test_the_weights_are_those_of_the_library(kind, converted):
    original, _ = llava(kind)
    model = hf.LlavaForConditionalGeneration.from_pretrained(converted)
    expected = original.state_dict()
    assert set(model.state_dict()) == set(expected)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_the_same_tokens_are_written_for_an_image(kind, converted):
    original, token = llava(kind)
    model = hf.LlavaForConditionalGeneration.from_pretrained(converted).eval()
    processor = hf.AutoProcessor.from_pretrained(converted)
    inputs = processor.apply_chat_template(
        chat("left kidney"), add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    assert (inputs["input_ids"] == token).sum() == 4
    with torch.inference_mode():
        logits = original(**inputs).logits
        assert torch.equal(model(**inputs).logits, logits)
    settings = {"do_sample": False, "max_new_tokens": 12, "pad_token_id": 2}
    wanted = original.generate(**inputs, **settings, suppress_tokens=list(range(token, 128)))
    assert_array_equal(model.generate(**inputs, **settings), wanted)


def test_images_are_padded_with_the_mean_colour_to_a_square(converted):
    processor = hf.AutoProcessor.from_pretrained(converted)
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    square = np.full((60, 60, 3), (mean * 255).astype(np.uint8), np.uint8)
    square[10:50] = np.asarray(picture())
    padded = processor.image_processor(Image.fromarray(square), return_tensors="pt")
    given = processor.image_processor(picture(), return_tensors="pt")
    assert given["pixel_values"].shape == (1, 3, 28, 28)
    assert torch.equal(given["pixel_values"], padded["pixel_values"])


def test_the_conversation_is_written_in_the_authors_format(kind, converted):
    processor = hf.AutoProcessor.from_pretrained(converted)
    messages = [{"role": "system", "content": [{"type": "text", "text": "Be short."}]}]
    messages += [*chat("Where?"), {"role": "assistant", "content": [{"type": "text",
                 "text": "There."}]}, *chat("Why?")[:1]]  # fmt: skip
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert (
        text
        == {
            "mistral": "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\n<image>\nWhere? [/INST] "
            "There. </s>[INST] <image>\nWhy? [/INST]",
            "llama": "<s>Be short. USER: <image>\nWhere? ASSISTANT: There.</s>USER: <image>\n"
            "Why? ASSISTANT:",
        }[kind]
    )


def test_a_vocabulary_of_llama_3_has_its_conversation_and_its_end_of_a_turn(tmp_path):
    source = llava_authors(tmp_path / "BiMediX2-8B", "llama")
    content = json.loads((source / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    regular = [word for word, number in vocabulary.items() if number > 20][:3]
    names = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    for word, name in zip(regular, names, strict=True):
        vocabulary[name] = number = vocabulary.pop(word)
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        content["added_tokens"].append({"id": number, "content": name, "special": True, **flags})
    (source / "tokenizer.json").write_text(json.dumps(content))
    folder = convert(source).folder
    processor = hf.AutoProcessor.from_pretrained(folder)
    messages = [{"role": "system", "content": [{"type": "text", "text": "Be short."}]}]
    messages += [*chat("Where?"), {"role": "assistant", "content": [{"type": "text",
                 "text": "There."}]}]  # fmt: skip
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    head = "<|start_header_id|>{}<|end_header_id|>\n\n"
    assert text == (
        f"<s>{head.format('system')}Be short.<|eot_id|>{head.format('user')}<image>\nWhere?"
        f"<|eot_id|>{head.format('assistant')}There.<|eot_id|>{head.format('assistant')}"
    )
    without = processor.apply_chat_template(messages[1:2], tokenize=False)
    assert without.startswith(f"<s>{head.format('system')}You are a helpful language and vision")
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    assert ends == [2, vocabulary["<|eot_id|>"]]


def test_licence_and_source_are_recorded(converted):
    assert (converted / "LICENSE").read_text() == LICENCE
    record = json.loads((converted / "conversion.json").read_text())
    assert record["layout"] == "llava"
    assert record["licence_files"] == ["LICENSE"]
    assert len(record["source_files_sha256"]["model.safetensors"]) == 64
    assert not [f.name for f in converted.iterdir() if f.suffix in (".bin", ".pt", ".pth", ".py")]


def test_a_vision_tower_that_is_not_in_the_files_comes_from_an_installed_model(tmp_path):
    source = llava_authors(tmp_path / "llava-med", "mistral", tower=False)
    with pytest.raises(BackendUnavailable, match="built on openai/clip-vit-large-patch14-336"):
        convert(source)
    base = clip_base(tmp_path / "clip-vit-large-patch14-336")
    registry.add(base, "similarity", no_progress)
    folder = convert(source).folder
    original, _ = llava("mistral")
    weights = hf.LlavaForConditionalGeneration.from_pretrained(folder).state_dict()
    assert all(torch.equal(weights[name], w) for name, w in original.state_dict().items())


def test_pickles_with_numbers_are_converted_to_safetensors(tmp_path):
    source = llava_authors(tmp_path / "llava", "llama")
    weights = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    torch.save(weights, source / "pytorch_model.bin")
    folder = convert(source, tmp_path / "new").folder
    assert (folder / "model.safetensors").is_file()


def test_a_pickle_with_code_is_refused(tmp_path):
    source = llava_authors(tmp_path / "llava", "llama")
    (source / "model.safetensors").unlink()
    torch.save({"model.norm.weight": torch.nn.Linear(2, 2)}, source / "pytorch_model.bin")
    with pytest.raises(BackendUnavailable, match="holds more than weights; its code is not run"):
        convert(source)
    assert not (tmp_path / "llava-transformers").exists()


def test_missing_weights_are_named_and_nothing_is_written(tmp_path):
    source = llava_authors(tmp_path / "llava", "llama")
    weights = load_file(source / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, source / "model.safetensors")
    with pytest.raises(BackendUnavailable, match=r"1 weights are missing .*language_model\.norm"):
        convert(source)
    assert [p.name for p in tmp_path.iterdir()] == ["llava"]


def test_other_projectors_are_refused(tmp_path):
    source = llava_authors(tmp_path / "llava", "llama")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "mm_projector_type": "linear"}))
    with pytest.raises(BackendUnavailable, match="mm_projector_type 'linear'"):
        convert(source)


def test_a_model_of_transformers_has_no_layout_to_convert(converted):
    assert layout_of(converted) is None
    with pytest.raises(BackendUnavailable, match="none of the layouts"):
        convert(converted, converted.parent / "again")


def test_the_authors_folder_is_refused_with_the_command(tmp_path):
    source = llava_authors(tmp_path / "llava med", "mistral")
    with pytest.raises(BackendUnavailable, match="napari-medvlm models convert '.*llava med'"):
        VLMBackend().load(str(source), "cpu")


def test_the_backend_answers_with_the_tokens_of_the_original(kind, converted):
    backend = loaded(converted, longest=12)
    question = question_of("portrait")
    _, answer = ask(backend, question)
    original, token = llava(kind)
    seen = build_inputs(backend._loaded, backend._answered_as, question, 12).tensors
    out = original.generate(
        **seen, do_sample=False, max_new_tokens=12, pad_token_id=2,
        suppress_tokens=list(range(token, 128)),
    )  # fmt: skip
    written = out[0, seen["input_ids"].shape[1] :].tolist()
    assert answer.tokens == len(written)
    assert answer.text == backend._loaded.text(written)


def test_a_folder_is_converted_and_added_by_the_command(tmp_path):
    source = llava_authors(tmp_path / "llava-med-v1.5", "mistral")
    done = CliRunner().invoke(app, ["models", "convert", str(source), "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary == {
        "name": "llava-med-v1.5-transformers",
        "path": str(tmp_path / "llava-med-v1.5-transformers"),
        "layout": "LLaVA 1.5 (llava_mistral, llava_llama)",
        "backend": "vlm",
        "licences": ["LICENSE"],
        "notes": [],
    }
    assert resolve(summary["name"]) == summary["path"]
    again = CliRunner().invoke(app, ["models", "convert", str(source)])
    assert again.exit_code == 1
    assert "already exists" in again.output


def test_the_list_of_models_names_the_layout_and_the_command(tmp_path):
    registry.add(llava_authors(tmp_path / "llava med", "mistral"), "vlm", no_progress)
    row = _summary(offer_of("llava med"))
    assert row["state"] == "needs conversion"
    assert row["layout"] == "LLaVA 1.5 (llava_mistral, llava_llama)"
    assert row["obstacle"].endswith("Run: napari-medvlm models convert 'llava med'")
    assert not offer_of("llava med").installable
    done = CliRunner().invoke(app, ["models", "convert", "llava med", "--json"])
    assert done.exit_code == 0, done.output
    assert _summary(offer_of("llava med-transformers"))["state"] == "added"
    listed = CliRunner().invoke(app, ["models", "list"]).stdout
    assert "needs conversion" in listed


def test_a_download_is_converted_outside_the_folder_of_the_hub_library():
    snapshot = Path("/hub/models--microsoft--llava-med/snapshots/abc")
    assert default_folder(snapshot) == home() / "models" / "microsoft" / "llava-med-transformers"
