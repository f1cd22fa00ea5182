"""A file of weights of open_clip becomes a folder with the same model."""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch

from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.layouts.table import layout_of
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.layouts.published import LICENCE

NAME = "tiny-ViT"
WORDS = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
CONFIGS = {
    NAME: {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": WORDS,
    },
    "tiny-custom": {
        "embed_dim": 16, "custom_text": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": WORDS,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def architectures(monkeypatch, tmp_path):
    """Two small architectures that open_clip knows besides its own."""
    for name, config in CONFIGS.items():
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)


@pytest.fixture
def model():
    torch.manual_seed(14)
    return open_clip.create_model(NAME, load_weights=False).eval()


def published(model, file):
    """The file as training scripts save it, with sizes that OpenAI's files hold."""
    state = {f"module.{name}": weight for name, weight in model.state_dict().items()}
    state["module.input_resolution"] = torch.tensor(32)
    torch.save({"epoch": 3, "name": "run", "state_dict": state}, file)
    (file.parent / "LICENSE").write_text(LICENCE)
    return file


def test_vectors_are_those_of_the_original(model, tmp_path):
    file = published(model, tmp_path / "epoch_3.pt")
    converted = convert(file, options={"architecture": NAME})
    assert converted.backend == "similarity"
    loaded = load_model(converted.folder, "cpu")
    texts = ["a nodule", "left lung"]
    with torch.inference_mode():
        wanted = model.encode_text(open_clip.get_tokenizer(NAME)(texts), normalize=True)
    np.testing.assert_allclose(loaded.encode_text(texts), wanted, atol=1e-6)
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = torch.tensor(((image / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        wanted = model.encode_image(pixels, normalize=True)
    np.testing.assert_allclose(loaded.encode_images([image]), wanted, atol=1e-5)


def test_a_text_tower_below_text_gets_its_weights(model, tmp_path):
    file = published(model, tmp_path / "model.pt")
    folder = convert(file, options={"architecture": "tiny-custom"}).folder
    config = json.loads((folder / "open_clip_config.json").read_text())
    assert config["model_cfg"]["custom_text"]
    vectors = load_model(folder, "cpu").encode_text(["a nodule"])
    with torch.inference_mode():
        wanted = model.encode_text(open_clip.get_tokenizer(NAME)(["a nodule"]), normalize=True)
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)


def test_the_architecture_is_read_from_the_name_of_the_file_or_asked_for(model, tmp_path):
    assert convert(published(model, tmp_path / "med_tiny-ViT_b.pt")).notes == (
        "The architecture is tiny-ViT.",
    )
    file = published(model, tmp_path / "model.pt")
    with pytest.raises(BackendUnavailable, match="--architecture"):
        convert(file)
    with pytest.raises(BackendUnavailable, match="no architecture ViT-Z"):
        convert(file, options={"architecture": "ViT-Z"})


def test_weights_of_another_architecture_are_refused(model, tmp_path):
    file = published(model, tmp_path / "model.pt")
    with pytest.raises(BackendUnavailable, match="weights are missing for open_clip's ViT-B-32"):
        convert(file, options={"architecture": "ViT-B-32"})


def test_a_folder_of_open_clip_needs_no_conversion(model, tmp_path):
    folder = convert(published(model, tmp_path / "model.pt"), options={"architecture": NAME}).folder
    assert layout_of(folder) is None
