"""Merlin in the files of its authors judges findings and phenotypes of a volume."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose
from torch.nn import functional

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.families import merlin
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.volume import Modality, Volume
from tests.backends.clip.by_hand import go_on, loaded
from tests.backends.clip.families.tiny_families import unit

WIDTH, SPACE, INNER = 32, 12, (4, 4, 6, 8)
SIZE = (32, 32, 16)
NAMES = ("Ascites", "Gallstones", "Steatosis")
HALVED = (2, 3, 4)
"""Layers whose first block halves the volume."""


def network():
    """Random weights under the authors' names: a block in each layer."""
    shapes = {"conv1.weight": (8, 3, 3, 7, 7)}
    norms, wide = {"bn1": 8}, 8
    for number, inner in enumerate(INNER, 1):
        own = f"layer{number}.0"
        shapes |= {
            f"{own}.conv1.weight": (inner, wide, 1, 1, 1),
            f"{own}.conv2.weight": (inner, inner, 3, 3, 3),
            f"{own}.conv3.weight": (4 * inner, inner, 1, 1, 1),
            f"{own}.downsample.0.weight": (4 * inner, wide, 1, 1, 1),
        }
        norms |= {f"{own}.bn1": inner, f"{own}.bn2": inner, f"{own}.bn3": 4 * inner}
        norms[f"{own}.downsample.1"] = wide = 4 * inner
    for name, out in (("contrastive_head", SPACE), ("classifier", len(NAMES))):
        shapes |= {f"{name}.weight": (out, wide, 1, 1, 1), f"{name}.bias": (out,)}
    state = {n: torch.randn(s) / math.sqrt(math.prod(s[1:])) for n, s in shapes.items()}
    for name, count in norms.items():
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.randn(2, count)
        state[f"{name}.running_mean"] = torch.randn(count) / 10
        state[f"{name}.running_var"] = torch.rand(count) + 0.5
    return state


def features(state, x):
    """Of a volume ``(1, 3, z, x, y)``, by the authors' steps."""

    def norm(x, name):
        parts = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{part}"] for part in parts))

    def conv(x, name, **options):
        return functional.conv3d(x, state[f"{name}.weight"], **options)

    x = norm(conv(x, "conv1", stride=(1, 2, 2), padding=(1, 3, 3)), "bn1").clip(min=0)
    x = functional.max_pool3d(x, 3, stride=2, padding=1)
    for number in range(1, 5):
        own, step = f"layer{number}.0", 2 if number in HALVED else 1
        y = norm(conv(x, f"{own}.conv1"), f"{own}.bn1").clip(min=0)
        y = norm(conv(y, f"{own}.conv2", stride=step, padding=1), f"{own}.bn2").clip(min=0)
        y = norm(conv(y, f"{own}.conv3"), f"{own}.bn3")
        x = norm(conv(x, f"{own}.downsample.0", stride=step), f"{own}.downsample.1") + y
        x = x.clip(min=0)
    return x.mean(dim=(2, 3, 4))


class Merlin:
    """A small model, and its formula."""

    def __init__(self):
        torch.manual_seed(9)
        self.image = network()
        config = hf.LongformerConfig(
            vocab_size=300, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=40, attention_window=[8, 8], max_position_embeddings=66,
            pad_token_id=1, bos_token_id=0, eos_token_id=2,
        )  # fmt: skip
        self.text = hf.LongformerModel(config, add_pooling_layer=False).eval()
        self.head = torch.randn(SPACE, WIDTH), torch.randn(SPACE)

    def save(self, folder):
        folder.mkdir()
        state = {f"encode_image.i3_resnet.{n}": w for n, w in self.image.items()}
        for name, weight in self.text.state_dict().items():
            state[f"encode_text.text_encoder.{name}"] = weight
        state["encode_text.linear_layer.weight"], state["encode_text.linear_layer.bias"] = self.head
        torch.save({**state, "logit_scale": torch.tensor(1.5)}, folder / "merlin.pt")
        self.text.config.save_pretrained(folder)
        marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        letters = sorted(set("abcdefghijklmnopqrstuvwxyz.,-0123456789") | {"Ġ"})
        vocabulary = {text: k for k, text in enumerate([*marks, *letters])}
        (folder / "vocab.json").write_text(json.dumps(vocabulary))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        rows = [f"{k},{name}" for k, name in enumerate(NAMES)]
        (folder / "phenotypes.csv").write_text("\n".join(["phecode,phecode_str", *rows]))
        return folder

    def text_vector(self, folder, text):
        tokens = hf.AutoTokenizer.from_pretrained(folder)([text], return_tensors="pt")
        first = self.text(**tokens).last_hidden_state[:, 0]
        return unit(first @ self.head[0].T + self.head[1])[0]

    def outputs(self, pixels):
        """Unit vector, and probabilities of phenotypes."""
        own = features(self.image, pixels)
        vector, logits = (
            own @ self.image[f"{n}.weight"].flatten(1).T + self.image[f"{n}.bias"]
            for n in ("contrastive_head", "classifier")
        )
        return unit(vector)[0], torch.sigmoid(logits)[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tiny = Merlin()
    return tiny, tiny.save(tmp_path_factory.mktemp("hub") / "merlin")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(merlin, "SIZE", SIZE)


def ct():
    """26 x 40 x 30 voxels of the model's spacing, and what is left of them by hand."""
    data = np.random.default_rng(2).integers(-1500, 1500, (26, 40, 30)).astype(np.int16)
    volume = Volume(data, np.diag([3.0, 1.5, 1.5, 1.0]), Modality.CT)
    # ours grow to the left and to the back, RAS to the right and to the front
    ras = ((np.clip(data, -1000, 1000) + 1000) / 2000)[:, ::-1, ::-1]
    ras = np.pad(ras, ((0, 0), (0, 0), (1, 1)))[5:21, 4:36]
    return volume, torch.tensor(np.ascontiguousarray(ras.transpose(0, 2, 1)), dtype=torch.float32)


def test_the_volume_is_shown_as_the_authors_show_it():
    volume, expected = ct()
    shown = merlin.model_input(volume)
    assert shown.shape == (1, 3, 16, 32, 32)
    for channel in shown[0]:
        assert_allclose(channel.numpy(), expected.numpy(), atol=1e-5)


def test_findings_and_phenotypes_have_the_probabilities_of_the_formula(model):
    tiny, folder = model
    volume, pixels = ct()
    query = LabelQuery(("pleural effusion", "gallstones", "phenotypes"), exclusive=False)
    result = dispatch.label(loaded(folder, volume), volume, query, go_on)
    image, phenotypes = tiny.outputs(pixels.expand(3, -1, -1, -1)[None])
    pair = [tiny.text_vector(folder, f"there is {no}pleural effusion") for no in ("", "no ")]
    cosines = torch.tensor([float(image @ vector) for vector in pair])
    wanted = dict(zip(NAMES, phenotypes.tolist(), strict=True))
    wanted["gallstones"] = wanted["Gallstones"]
    wanted["pleural effusion"] = torch.softmax(math.exp(1.5) * cosines, 0)[0].item()
    assert dict(result.probabilities) == pytest.approx(wanted, abs=1e-4)
    assert merlin.NOTE in result.notes


def test_texts_are_in_lower_case_with_spaces_around_punctuation(model):
    tiny, folder = model
    got = merlin.MerlinModel(folder, merlin.merlin_file(folder), "cpu")
    wanted = tiny.text_vector(folder, "liver : normal .")
    assert_allclose(got.encode_text(["Liver: Normal."])[0], wanted, atol=1e-5)


def test_no_heatmaps_are_promised(model):
    volume, _ = ct()
    query = GroundQuery(("ascites",), Scope.of_slice(0, 3))
    with pytest.raises(BackendUnavailable, match="gives no heatmaps"):
        dispatch.ground(loaded(model[1], volume), volume, query, go_on)


def test_names_for_another_number_of_phenotypes_are_refused(model, tmp_path):
    tiny, _ = model
    folder = tiny.save(tmp_path / "merlin")
    (folder / "phenotypes.csv").write_text("phecode,phecode_str\n8,Ascites\n")
    volume, _ = ct()
    with pytest.raises(BackendUnavailable, match="1 rows for 3 phenotypes"):
        dispatch.label(loaded(folder, volume), volume, LabelQuery(("Ascites",)), go_on)
