"""UniMed-CLIP's file becomes a folder whose vectors are those of the authors' two towers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, CLIPVisionConfig, CLIPVisionModel

from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.layouts.table import layout_of
from napari_medvlm.backends.layouts.vision import CLIP_MEAN, CLIP_STD
from napari_medvlm.backends.models.registry import add, find
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.verified_models import verification_status
from napari_medvlm.worker.model_check import run_known_input
from napari_medvlm.worker.runner import InlineRunner
from tests.backends.clip.tiny_clip import letters_tokenizer
from tests.backends.layouts.published import LICENCE

SIDE, PATCH, WIDTH, JOINT, WORDS = 32, 16, 64, 24, 16
POSITIONS = 256


class Towers:
    """CLIP's vision tower and BERT of transformers, and the weights by the authors' names."""

    def __init__(self, folder):
        torch.manual_seed(31)
        self.tokenizer, count = letters_tokenizer()
        config = BertConfig(
            vocab_size=count, pad_token_id=count - 3, hidden_size=WORDS, intermediate_size=24,
            num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=POSITIONS,
        )  # fmt: skip
        self.bert = BertModel(config, add_pooling_layer=False).eval()
        middle = (WORDS + JOINT) // 2
        self.projection = nn.Sequential(
            nn.Linear(WORDS, middle, bias=False), nn.GELU(), nn.Linear(middle, JOINT, bias=False)
        )
        self.vision = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=2,
                num_attention_heads=1, image_size=SIDE, patch_size=PATCH, hidden_act="quick_gelu",
            )
        ).eval()  # fmt: skip
        self.proj = torch.randn(WIDTH, JOINT) * WIDTH**-0.5
        with torch.no_grad():
            for part in (self.bert, self.vision):
                for weight in part.parameters():
                    weight.add_(torch.randn_like(weight) * 0.1)
        folder.mkdir(parents=True, exist_ok=True)
        self.bert.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def state(self):
        """The weights by their names in the authors' version of open_clip."""
        vision = {k.removeprefix("vision_model."): v for k, v in self.vision.state_dict().items()}
        named = {
            "visual.proj": self.proj,
            "visual.class_embedding": vision["embeddings.class_embedding"],
            "visual.positional_embedding": vision["embeddings.position_embedding.weight"],
            "visual.conv1.weight": vision["embeddings.patch_embedding.weight"],
            "logit_scale": torch.tensor(2.0),
        }
        for theirs, ours in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
            for kind in ("weight", "bias"):
                named[f"visual.{theirs}.{kind}"] = vision[f"{ours}.{kind}"]
        for layer in range(2):
            at, block = f"encoder.layers.{layer}", f"visual.transformer.resblocks.{layer}"
            for kind in ("weight", "bias"):
                parts = [vision[f"{at}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
                named[f"{block}.attn.in_proj_{kind}"] = torch.cat(parts)
                named[f"{block}.attn.out_proj.{kind}"] = vision[f"{at}.self_attn.out_proj.{kind}"]
                for theirs, ours in (
                    ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"),
                    ("mlp.c_proj", "mlp.fc2"),
                ):  # fmt: skip
                    named[f"{block}.{theirs}.{kind}"] = vision[f"{at}.{ours}.{kind}"]
        text = {f"transformer.{k}": v for k, v in self.bert.state_dict().items()}
        text |= {f"proj.{k}": v for k, v in self.projection.state_dict().items()}
        text["transformer.embeddings.position_ids"] = torch.arange(POSITIONS)[None]
        return named | {f"text_encoder.{name}": value for name, value in text.items()}

    @torch.inference_mode()
    def texts(self, texts):
        """Unit vectors: the first token of BERT's last layer, projected."""
        read = self.tokenizer(
            texts, return_tensors="pt", padding="max_length", max_length=POSITIONS, truncation=True
        )["input_ids"]
        seen = (read != self.bert.config.pad_token_id).long()
        first = self.bert(input_ids=read, attention_mask=seen).last_hidden_state[:, 0]
        return nn.functional.normalize(self.projection(first), dim=-1).numpy()

    @torch.inference_mode()
    def images(self, image):
        """Unit vectors of an image of the size of the model."""
        pixels = (image / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)
        tensor = torch.tensor(pixels.transpose(2, 0, 1)[None]).float()
        pooled = self.vision(tensor).pooler_output
        return nn.functional.normalize(pooled @ self.proj, dim=-1).numpy()


def published(towers, file):
    """The checkpoint of the authors' training script."""
    state = {f"module.{name}": weight for name, weight in towers.state().items()}
    torch.save({"epoch": 10, "name": "unimed", "state_dict": state}, file)
    (file.parent / "LICENSE").write_text(LICENCE)
    return file


def test_vectors_are_those_of_the_towers(tmp_path):
    towers = Towers(tmp_path)
    file = published(towers, tmp_path / "unimed-clip-vit-b16.pt")
    converted = convert(file)
    assert converted.backend == "similarity"
    assert converted.licences == ("LICENSE",)
    loaded = load_model(converted.folder, "cpu")
    texts = ["a nodule of the left lung", "x"]
    np.testing.assert_allclose(loaded.encode_text(texts), towers.texts(texts), atol=1e-5)
    image = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    np.testing.assert_allclose(loaded.encode_images([image]), towers.images(image), atol=1e-5)
    assert loaded.logit_scale == pytest.approx(np.exp(2.0))
    assert layout_of(converted.folder) is None


def test_verify_classifies_the_known_input_with_the_converted_model(tmp_path):
    file = published(Towers(tmp_path), tmp_path / "unimed-clip-vit-b16.pt")
    folder = convert(file).folder
    add(folder, "similarity", lambda *_: None, "unimed")
    model = find("unimed")
    run = run_known_input(model, InlineRunner(), "cpu", lambda *_: None)
    assert run.passed, run.result
    assert "located 1 region(s)" in run.result
    assert "classified: nodule" in run.result
    assert verification_status("unimed", model.bytes) == run.summary


def test_without_the_files_of_the_text_tower_they_are_asked_for(tmp_path):
    towers = Towers(tmp_path / "bert")
    file = published(towers, tmp_path / "unimed-clip-vit-b16.pt")
    assert layout_of(file).name == "unimed_clip"
    with pytest.raises(BackendUnavailable, match="BiomedBERT-base-uncased-abstract") as error:
        convert(file)
    assert "tokenizer_config.json" in error.value.hint
