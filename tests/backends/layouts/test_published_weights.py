"""Checkpoints in the file lists and full shapes of their authors load, and answer as the library.

Names and shapes are those of the authors' code: MedSAM ViT-B is segment-anything's ``vit_b``,
PubMedCLIP is OpenAI's ViT-B/32, FLAIR a ResNet-50 of torchvision and a BERT base with two
projections to 512. The values are random: no published weights are read.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose
from segment_anything import sam_model_registry
from torchvision.models import resnet50

from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.sam.checkpoint import load_sam
from napari_medvlm.backends.sam.model import MedSamModel
from napari_medvlm.backends.sam.sam import sam_model
from napari_medvlm.backends.sam.slice_prompts import SlicePrompts
from tests.backends.clip.families.tiny_families import Flair, write_vocabulary

TEXTS = ("a nodule", "no oedema at all")
SQUARE = np.random.default_rng(3).integers(0, 256, (224, 224, 3), np.uint8)


def random_weights(model: torch.nn.Module, millions: float) -> dict[str, torch.Tensor]:
    """Random values of the names and shapes of a model, whose size is that published."""
    shapes = model.state_dict()
    assert sum(map(math.prod, (w.shape for w in shapes.values()))) / 1e6 == pytest.approx(
        millions, abs=0.05
    )
    weights = {}
    torch.manual_seed(15)
    for name, weight in shapes.items():
        if not weight.is_floating_point():
            weights[name] = torch.zeros(weight.shape, dtype=weight.dtype)
        elif name.endswith("running_var"):
            weights[name] = torch.rand(weight.shape) + 0.5
        elif weight.ndim == 1 and name.endswith("weight"):
            weights[name] = 1 + 0.1 * torch.randn(weight.shape)
        else:
            weights[name] = torch.empty(weight.shape).normal_(0, 0.03)
    return weights


def test_medsam_vit_b_is_loaded_and_gives_the_mask_of_the_decoder(tmp_path):
    with torch.device("meta"):
        published = sam_model_registry["vit_b"]()
    weights = random_weights(published, 93.73)
    torch.save(weights, tmp_path / "medsam_vit_b.pth")
    model = sam_model(tmp_path / "medsam_vit_b.pth", "cpu")
    assert isinstance(model, MedSamModel)
    assert (model.side, model.sam.image_encoder.blocks[2].window_size) == (1024, 0)
    assert all(torch.equal(w, weights[n]) for n, w in model.sam.state_dict().items())
    embedding = torch.randn(256, 64, 64)
    (mask,) = model.masks(embedding, (300, 400), SlicePrompts(box=(40.0, 30.0, 200.0, 150.0)), True)
    sam = load_sam(tmp_path / "medsam_vit_b.pth")
    box = torch.tensor([[40.0, 30.0, 200.0, 150.0]]) * torch.tensor([1024 / 400, 1024 / 300] * 2)
    with torch.no_grad():
        sparse, dense = sam.prompt_encoder(points=None, boxes=box, masks=None)
        logits, scores = sam.mask_decoder(
            embedding[None], sam.prompt_encoder.get_dense_pe(), sparse, dense, False
        )
    shown = torch.nn.functional.interpolate(torch.sigmoid(logits), (300, 400), mode="bilinear")
    assert np.array_equal(mask.inside, shown[0, 0].numpy() > 0.5)
    assert mask.score == float(scores[0, 0])


def test_pubmedclip_is_converted_loaded_and_gives_the_vectors_of_clip(tmp_path):
    name = "ViT-B-32-quickgelu"
    reference = open_clip.create_model(name, load_weights=False).eval()
    weights = {n: w.half() for n, w in random_weights(reference, 151.28).items()}
    torch.save({"state_dict": weights}, tmp_path / "PubMedCLIP_ViT32.pth")
    reference.load_state_dict(weights)
    folder = convert(tmp_path / "PubMedCLIP_ViT32.pth", options={"architecture": name}).folder
    loaded = load_model(folder, "cpu")
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = torch.tensor(((SQUARE / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        images = reference.encode_image(pixels, normalize=True)
        texts = reference.encode_text(open_clip.get_tokenizer(name)(TEXTS), normalize=True)
    assert_allclose(loaded.encode_images([SQUARE]), images, atol=1e-4)
    assert_allclose(loaded.encode_text(TEXTS), texts, atol=1e-4)


class PublishedFlair(Flair):
    """FLAIR of its published size, by its formula."""

    def __init__(self) -> None:
        self.vision = resnet50().eval()
        self.vision.fc = torch.nn.Identity()
        self.text = hf.BertForMaskedLM(hf.BertConfig(vocab_size=28996)).eval()
        self.text.bert = hf.BertModel(self.text.config).eval()
        for model, millions in ((self.vision, 23.56), (self.text.bert, 108.31)):
            model.load_state_dict(random_weights(model, millions))
        self.projections = [torch.randn(512, 2048), torch.randn(512, 768)]
        self.scale = torch.tensor(4.6052)

    def save(self, folder: Path) -> Path:
        """The checkpoint with the vocabulary; older transformers save the positions, too."""
        state = {f"vision_model.model.{n}": w for n, w in self.vision.state_dict().items()}
        state |= {f"text_model.model.{n}": w for n, w in self.text.bert.state_dict().items()}
        state["text_model.model.embeddings.position_ids"] = torch.arange(512)[None]
        for tower, weight in zip(("vision", "text"), self.projections, strict=True):
            state[f"{tower}_model.projection_head_{tower}.projection.weight"] = weight
        write_vocabulary(folder)
        torch.save({**state, "logit_scale": self.scale}, folder / "flair_resnet.pth")
        return folder


def test_flair_is_loaded_and_gives_the_vectors_of_its_formula(tmp_path):
    model = PublishedFlair()
    folder = model.save(tmp_path / "FLAIR")
    loaded = load_model(folder, "cpu")
    square = np.random.default_rng(4).integers(0, 256, (512, 512, 3), np.uint8)
    assert_allclose(loaded.encode_images([square]), model.image_vector(square), atol=1e-4)
    wanted = np.stack([model.text_vector(folder, text) for text in TEXTS])
    assert_allclose(loaded.encode_text(TEXTS), wanted, atol=1e-4)
