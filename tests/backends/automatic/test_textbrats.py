"""TextBraTS in the file of its authors: the parts of a tumour from four images and a report."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from napari_medvlm.backends import dispatch, registry
from napari_medvlm.backends.automatic.network import NetworkBackend
from napari_medvlm.backends.automatic.textbrats import (
    CHANNELS,
    PARTS,
    _fused,
    _merging,
    _network,
)
from napari_medvlm.backends.layouts.weight_files import state_of
from napari_medvlm.cli import app
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.geometry.channels import Channel
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.writers import write_image
from napari_medvlm.sessions.ground.session import GroundingSession
from tests.backends.clip.families.tiny_families import PIECES, WIDTH, write_vocabulary

FEATURES, SIDE = 12, 64
DEEP = 16 * FEATURES
REPORT = "mass in the left lobe"


def save(folder):
    """A checkpoint as the authors' training writes it, and a small BioBERT beside it."""
    from monai.networks.nets.swin_unetr import SwinUNETR

    torch.manual_seed(21)
    weights = SwinUNETR(4, 3, feature_size=FEATURES).state_dict()
    shapes = {
        "mlp_text.0": (24, WIDTH, 1), "mlp_text.2": (DEEP, 24, 1), "fw_mlp.0": (DEEP, DEEP, 1, 1, 1)
    }  # fmt: skip
    attention = ("mlpk", "mlpv", "mlp_text_q", "mlp_image_k", "mlp_image_v", "mlp_image_q")
    shapes |= dict.fromkeys(attention, (DEEP, DEEP, 1))
    for name, shape in shapes.items():
        weights[f"swinViT.{name}.weight"] = torch.randn(shape) / 4
        weights[f"swinViT.{name}.bias"] = torch.randn(shape[0])
    for kind in ("weight", "bias"):
        weights[f"swinViT.ly_norm.{kind}"] = torch.randn((SIDE // 32,) * 3)
    state = {f"module.{name}": weight for name, weight in weights.items()}
    folder.mkdir(parents=True)
    torch.save({"epoch": 7, "best_acc": np.float64(0.8), "state_dict": state}, folder / "model.pt")
    config = hf.BertConfig(
        vocab_size=len(PIECES), hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=128,
    )  # fmt: skip
    hf.BertModel(config).save_pretrained(write_vocabulary(folder / "biobert"))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("hub") / "TextBraTS")


@pytest.fixture(scope="module")
def images():
    """Four images of 64 voxels along each axis, in the orientation of BraTS."""
    noise = np.random.default_rng(5).normal(100, 30, (4, SIDE, SIDE, SIDE)).astype(np.float32)
    noise[:, :8] = 0
    return {name: Volume(data, np.eye(4)) for name, data in zip(CHANNELS, noise, strict=True)}


@pytest.fixture(scope="module")
def backend(model, images):
    backend = NetworkBackend()
    backend.load(str(model), "cpu")
    backend.set_volume(images["FLAIR"])
    return backend


def query(images, report, *phrases):
    channels = tuple(Channel(name, volume) for name, volume in images.items())
    return GroundQuery(phrases or PARTS, channels=channels, report=report)


def grounded(backend, images, report):
    found = dispatch.ground(backend, images["FLAIR"], query(images, report), lambda *_: None)
    return {region.phrase: region.mask.full() for region in found.regions}, found


def test_the_masks_are_those_of_the_network_for_the_images_and_the_report(model, backend, images):
    masks, _ = grounded(backend, images, REPORT)
    network, side = _network(state_of(torch.load(model / "model.pt", weights_only=False)), model)
    assert side == SIDE
    tokenizer = hf.BertTokenizer.from_pretrained(model / "biobert")
    tokens = tokenizer([REPORT], padding="max_length", max_length=128, return_tensors="pt")
    data = np.stack([v.data.transpose(2, 1, 0) for v in images.values()])
    with torch.no_grad():
        bert = hf.BertModel.from_pretrained(model / "biobert").eval()
        network.swinViT.report = bert(**tokens).last_hidden_state
        normal = [(c - c[c != 0].mean()) / c[c != 0].std() * (c != 0) for c in data]
        logits = network(torch.tensor(np.stack(normal)).float()[None])[0].numpy()
    assert set(masks) == {name for name, own in zip(PARTS, logits, strict=True) if (own > 0).any()}
    for name, own in zip(PARTS, logits, strict=True):
        wanted = own.transpose(2, 1, 0) > 0
        assert np.mean(masks.get(name, np.zeros_like(wanted)) != wanted) < 1e-3


def test_the_deepest_features_attend_to_the_report_by_the_formula(model):
    state = state_of(torch.load(model / "model.pt", weights_only=False))
    encoder = _network(state, model)[0].swinViT
    image, report = torch.randn(1, DEEP, 2, 2, 2), torch.randn(1, 5, WIDTH)

    def linear(name, features):
        weight, bias = (state[f"swinViT.{name}.{kind}"] for kind in ("weight", "bias"))
        return features @ weight.flatten(1).T + bias

    def attended(queries, keys, values):
        return torch.softmax(queries @ keys.T / DEEP**0.5, dim=1) @ values

    def normal(grid):
        grid = (grid - grid.mean(dim=(1, 2, 3), keepdim=True)) / (
            grid.var(dim=(1, 2, 3), keepdim=True, unbiased=False) + 1e-5
        ) ** 0.5
        return grid * state["swinViT.ly_norm.weight"] + state["swinViT.ly_norm.bias"]

    flat = image[0].flatten(1).T
    text = linear("mlp_text.2", torch.relu(linear("mlp_text.0", report[0])))
    seen = attended(
        linear("mlp_text_q", text), linear("mlp_image_k", flat), linear("mlp_image_v", flat)
    )
    mixed = attended(linear("mlp_image_q", flat), linear("mlpk", seen), linear("mlpv", seen))
    grid = normal(mixed.T.reshape(DEEP, 2, 2, 2))
    grid = torch.relu(linear("fw_mlp.0", grid.flatten(1).T)).T.reshape(DEEP, 2, 2, 2)
    with torch.no_grad():
        assert_allclose(_fused(encoder, image, report)[0], normal(grid), atol=1e-3)


def test_voxels_are_merged_in_the_order_of_the_authors():
    x = torch.arange(8.0).reshape(1, 2, 2, 2, 1)
    merging = _merging()(dim=1)
    with torch.no_grad():
        merging.norm, merging.reduction = torch.nn.Identity(), torch.nn.Identity()
        assert merging(x).flatten().tolist() == [0, 4, 2, 1, 5, 2, 1, 7]


def test_another_report_gives_other_masks(backend, images):
    first, _ = grounded(backend, images, REPORT)
    second, found = grounded(backend, images, "cyst " * 90)
    assert any(not np.array_equal(first.get(n), second.get(n)) for n in PARTS)
    assert found.notes == ("The report is too long: the model reads its first 128 tokens only.",)


def test_a_report_is_needed_and_recorded(model, images):
    with GroundingSession(images["FLAIR"], "network", "inline", model=str(model)) as session:
        session.ask(["whole tumor"], channels=images)
        with pytest.raises(InvalidPrompt, match="needs the report"):
            session.wait()
        session.ask(["whole tumor"], channels=images, report=REPORT)
        session.wait()
        assert [r.report for r in session.ledger.records if r.record == "grounded"] == [REPORT]


def test_only_models_that_take_a_report_are_offered_one(model, images, tmp_path):
    assert registry.takes_report("network", str(model))
    assert registry.channels("network", str(model)) == CHANNELS
    assert registry.vocabulary("network", str(model)) == PARTS
    assert not registry.takes_report("embedded", None)
    write_image(tmp_path / "a.nii.gz", images["FLAIR"])
    (tmp_path / "report.txt").write_text(REPORT)
    refused = CliRunner().invoke(
        app,
        ["ground", str(tmp_path / "a.nii.gz"), "brain", "--report", str(tmp_path / "report.txt")],
    )
    assert refused.exit_code == 2
    assert "takes no report" in refused.stderr


def test_another_network_is_refused(model, tmp_path):
    folder = save(tmp_path / "TextBraTS")
    state = torch.load(folder / "model.pt", weights_only=False)
    del state["state_dict"]["module.encoder1.layer.conv1.conv.weight"]
    torch.save(state, folder / "model.pt")
    with pytest.raises(BackendUnavailable, match="encoder1"):
        NetworkBackend().load(str(folder), "cpu")
