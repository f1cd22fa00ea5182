"""Adapters are merged into their base model, as peft does by hand, or refused with a remedy."""

from __future__ import annotations

import json

import pytest
import torch
import transformers as hf
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from napari_medvlm.backends.detection.detector import DetectorBackend
from napari_medvlm.backends.models import registry
from napari_medvlm.backends.models.adapters import CONFIG, WEIGHTS, adapter_of, base_of
from napari_medvlm.backends.models.catalog import answering_row
from napari_medvlm.backends.models.transformers_loader import loaded
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import asked, volume_of
from tests.backends.vlm.conversations import ByHand, ask, question_of
from tests.backends.vlm.conversations import loaded as answering

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def quiet(fraction, message=""):
    pass


def adapter(base, folder, auto, targets):
    """A random LoRA of a model, as peft saves it."""
    torch.manual_seed(11)
    model = get_peft_model(
        auto.from_pretrained(base), LoraConfig(r=4, lora_alpha=64, target_modules=targets)
    )
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_" in name:
                weights.normal_(0, 0.5)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return tiny.qwen25(tmp_path_factory.mktemp("models") / "Qwen2.5-VL-tiny")


@pytest.fixture
def lora(qwen, tmp_path):
    auto = hf.AutoModelForImageTextToText
    return adapter(qwen, tmp_path / "lora", auto, ["q_proj", "v_proj", "gate_proj"])


def rename(folder, base):
    """Name another base model in the configuration of an adapter."""
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "base_model_name_or_path": base}))


def test_a_lora_writes_the_tokens_of_the_model_that_peft_merges_by_hand(qwen, lora):
    question = question_of("square")
    by_hand = ByHand(qwen, answering_row("qwen", "qwen2_5_vl"))
    unchanged = by_hand.tokens(question)
    by_hand.model = PeftModel.from_pretrained(by_hand.model, str(lora)).merge_and_unload()
    expected = by_hand.tokens(question)
    backend = answering(lora)
    _, answer = ask(backend, question)
    assert answer.written == backend._loaded.text(expected) != backend._loaded.text(unchanged)
    assert type(backend._loaded.model).__name__ == "Qwen2_5_VLForConditionalGeneration"


def test_an_adapter_saved_under_the_names_of_older_versions_of_transformers_is_merged(qwen, lora):
    expected = loaded("AutoModelForImageTextToText", lora, "cpu", title="t").model.state_dict()
    weights = load_file(lora / WEIGHTS)
    older = {
        k.replace("model.model.language_model.", "model.model.").replace(
            "model.model.visual.", "model.visual."
        ): v
        for k, v in weights.items()
    }
    assert older.keys() != weights.keys()
    save_file(older, lora / WEIGHTS, {"format": "pt"})
    merged = loaded("AutoModelForImageTextToText", lora, "cpu", title="t").model.state_dict()
    plain = loaded("AutoModelForImageTextToText", qwen, "cpu", title="t").model.state_dict()
    assert all(torch.equal(merged[name], expected[name]) for name in expected)
    assert not all(torch.equal(merged[name], plain[name]) for name in plain)


def test_a_detector_with_a_lora_draws_the_boxes_of_the_model_that_peft_merges(tmp_path):
    base = tiny.owl(tmp_path / "owl")
    auto = hf.AutoModelForZeroShotObjectDetection
    folder = adapter(base, tmp_path / "lora", auto, ["q_proj", "fc1"])
    backend = DetectorBackend()
    backend.load(str(folder), "cpu")
    merged = PeftModel.from_pretrained(auto.from_pretrained(base), str(folder)).merge_and_unload()
    state = backend._loaded.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in merged.state_dict().items())
    by_hand = DetectorBackend()
    by_hand.load(str(base), "cpu")
    plain = asked(by_hand, *volume_of("square"), "kidney").regions
    by_hand._loaded.model.load_state_dict(merged.state_dict())
    expected = asked(by_hand, *volume_of("square"), "kidney").regions
    regions = asked(backend, *volume_of("square"), "kidney").regions
    assert [(r.box, r.score) for r in regions] == [(r.box, r.score) for r in expected]
    assert [r.score for r in regions] != [r.score for r in plain]


@pytest.mark.parametrize("base", ["lab/Qwen2.5-VL-tiny", "Qwen2.5-VL-tiny", "./Qwen2.5-VL-tiny"])
def test_the_base_is_an_added_model_of_that_name_or_folder(qwen, lora, base):
    rename(lora, base)
    with pytest.raises(BackendUnavailable, match="which is not on this computer"):
        base_of(lora)
    registry.add(qwen, "vlm", quiet)
    assert base_of(lora) == qwen


def test_a_base_that_is_missing_is_named_with_the_command_that_downloads_it(lora):
    rename(lora, "lab/Qwen2.5-VL-tiny")
    with pytest.raises(BackendUnavailable, match="an adapter of lab/Qwen2.5-VL-tiny") as error:
        answering(lora)
    assert error.value.hint == "Run: napari-medvlm models download lab/Qwen2.5-VL-tiny"


def test_a_folder_that_is_missing_as_base_is_named_without_a_download(lora):
    rename(lora, "/data/models/qwen")
    with pytest.raises(BackendUnavailable) as error:
        base_of(lora)
    assert "set base_model_name_or_path in adapter_config.json" in error.value.hint


def test_the_row_of_an_adapter_states_its_base_and_whether_it_is_here(qwen, lora):
    model = registry.add(lora, "vlm", quiet, "ours")
    assert model.adapter == f"LORA adapter of {qwen}."
    rename(lora, "lab/Qwen2.5-VL-tiny")
    assert registry.find("ours").adapter.endswith("which is not on this computer.")
    assert registry.add(qwen, "vlm", quiet).adapter == ""
    assert registry.find("ours").adapter == f"LORA adapter of lab/Qwen2.5-VL-tiny in {qwen}."


def test_a_family_is_chosen_by_the_name_of_the_adapter_and_by_that_of_its_base():
    kind = "qwen2_5_vl"
    by_own = answering_row("lab/lora", kind, ["Qwen/Qwen2.5-VL-7B-Instruct"])
    by_base = answering_row("lab/lora", kind, ["lingshu-medical-mllm/Lingshu-7B"])
    assert (by_own.title, by_base.title) == ("Qwen2.5-VL", "Lingshu")


def test_a_pickled_adapter_is_refused_before_it_is_read(lora):
    torch.save(load_file(lora / WEIGHTS), lora / "adapter_model.bin")
    (lora / WEIGHTS).unlink()
    with pytest.raises(BackendUnavailable, match=r"only adapter_model.bin, a pickle") as error:
        answering(lora)
    assert "safetensors" in error.value.hint


def test_an_adapter_of_another_model_is_refused(lora, tmp_path):
    weights = {k.replace("layers.0", "layers.7"): v for k, v in load_file(lora / WEIGHTS).items()}
    save_file(weights, lora / WEIGHTS, {"format": "pt"})
    with pytest.raises(BackendUnavailable, match="does not fit"):
        answering(lora)


def test_an_adapter_that_names_a_module_to_import_is_refused(lora):
    config = json.loads((lora / CONFIG).read_text())
    more = {"megatron_config": {"a": 1}, "megatron_core": "antigravity"}
    (lora / CONFIG).write_text(json.dumps({**config, **more}))
    with pytest.raises(BackendUnavailable, match="sets megatron_config, megatron_core"):
        answering(lora)


def test_an_adapter_of_an_adapter_is_refused(lora, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    (second / CONFIG).write_text((lora / CONFIG).read_text())
    (lora / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    rename(second, str(lora))
    with pytest.raises(BackendUnavailable, match="which is an adapter itself"):
        base_of(second)


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"peft_type": "LORA"}'])
def test_a_configuration_that_cannot_be_read_is_reported(tmp_path, text):
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(BackendUnavailable, match="cannot be read"):
        adapter_of(tmp_path)
    assert "cannot be read" in registry.add(tmp_path, "vlm", quiet, "broken").adapter
