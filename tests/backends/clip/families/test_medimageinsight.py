"""MedImageInsight in the files of its authors answers by the formula of their code."""

from __future__ import annotations

import json
import string

import numpy as np
import pytest
import torch
import yaml
from numpy.testing import assert_allclose
from PIL import Image
from safetensors.torch import save_file
from transformers.models.florence2 import modeling_florence2 as davit

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.slice_image import picture_of
from tests.backends.clip.by_hand import GREY, axial, go_on, loaded
from tests.backends.clip.families.tiny_families import unit
from tests.backends.layouts.published_florence2 import DEEP

SIDE, WIDTH, SPACE, LONGEST = 64, 8, 6, 12
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SPEC = {
    "DEPTHS": [1, 1], "DIM_EMBED": [8, 16], "NUM_HEADS": [1, 2], "NUM_GROUPS": [2, 4],
    "PATCH_SIZE": [7, 3], "PATCH_STRIDE": [8, 4], "PATCH_PADDING": [3, 1],
    "PATCH_PRENORM": [False, True], "WINDOW_SIZE": 4, "DROP_PATH_RATE": 0.2,
}  # fmt: skip
CONFIG = {
    "TASK": "UniCLTask",
    "IMAGE_ENCODER": {"IMAGE_SIZE": [SIDE, SIDE], "IMAGE_MEAN": MEAN, "IMAGE_STD": STD,
                      "SPEC": SPEC},
    "LANG_ENCODER": {"TOKENIZER": "clip", "CONTEXT_LENGTH": LONGEST, "WIDTH": WIDTH, "HEADS": 2,
                     "LAYERS": 2, "AUTOGRESSIVE": False},
    "TEST": {"CENTER_CROP": False},
}  # fmt: skip
START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
TOKENS += [START, END]
TEXTS = ("mass", "no mass", "abcdefghijklmnop")


class Insight:
    """MedImageInsight by its formula."""

    def __init__(self) -> None:
        torch.manual_seed(11)
        self.vision = davit.Florence2VisionBackbone(
            davit.Florence2VisionConfig(
                embed_dim=SPEC["DIM_EMBED"],
                **{key.lower(): value for key, value in SPEC.items() if key != "DIM_EMBED"},
            )
        ).eval()
        for weight in self.vision.parameters():
            weight.data.normal_(0, 0.3)
        self.norm = [torch.randn(16), torch.randn(16)]
        self.words, self.positions = torch.randn(len(TOKENS), WIDTH), torch.randn(LONGEST, WIDTH)
        self.blocks = [_block() for _ in range(2)]
        self.last = [torch.randn(WIDTH), torch.randn(WIDTH)]
        self.projections = [torch.randn(16, SPACE), torch.randn(WIDTH, SPACE)]

    def save(self, folder):
        """The files of a release, with the weights in the format of safetensors as ``.pt``."""
        state = {f"image_encoder.{_theirs(n)}": w for n, w in self.vision.state_dict().items()}
        state |= _pair("image_encoder.norms", self.norm)
        state["lang_encoder.token_embedding.weight"] = self.words
        state["lang_encoder.positional_embedding"] = self.positions
        for number, block in enumerate(self.blocks):
            name = f"lang_encoder.resblocks.{number}"
            state |= {f"{name}.attn.{n}": w for n, w in block["attn"].state_dict().items()}
            for part in ("ln_1", "ln_2", "mlp.c_fc", "mlp.c_proj"):
                state |= _pair(f"{name}.{part}", block[part])
        state |= _pair("lang_encoder.ln_final", self.last)
        state["image_projection"], state["lang_projection"] = self.projections
        state["logit_scale"] = torch.tensor(2.0)
        (folder / "vision_model").mkdir(parents=True)
        tokens = folder / "language_model" / "clip_tokenizer_4.16.2"
        tokens.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        (tokens / "vocab.json").write_text(json.dumps({t: k for k, t in enumerate(TOKENS)}))
        (tokens / "merges.txt").write_text("#version: 0.2\n")
        save_file(
            {name: weight.detach().clone() for name, weight in state.items()},
            folder / "vision_model" / "medimageinsigt-v1.0.0.pt",
        )
        return folder

    @torch.no_grad()
    def image_vector(self, pixels):
        square = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        values = (np.asarray(square) / 255 - MEAN) / STD
        features = self.vision(torch.tensor(values.transpose(2, 0, 1)[None]).float())
        mean = features.last_hidden_state.mean(dim=(2, 3))
        normal = torch.layer_norm(mean, (16,), *self.norm)
        return unit(normal @ self.projections[0])[0]

    @torch.no_grad()
    def text_vector(self, text):
        """As in the authors' code, of all tokens with the padding masked."""
        letters = [
            letter + "</w>" * (k == len(word) - 1)
            for word in text.split()
            for k, letter in enumerate(word)
        ]
        ids = [TOKENS.index(token) for token in (START, *letters[: LONGEST - 2], END)]
        end = TOKENS.index(END)
        padded = torch.tensor([ids + [end] * (LONGEST - len(ids))])
        mask = torch.arange(LONGEST)[None] >= len(ids)
        x = (self.words[padded] + self.positions).permute(1, 0, 2)
        for block in self.blocks:
            inner = torch.layer_norm(x, (WIDTH,), *block["ln_1"], eps=1e-12)
            x = x + block["attn"](inner, inner, inner, key_padding_mask=mask)[0]
            inner = torch.layer_norm(x, (WIDTH,), *block["ln_2"], eps=1e-12)
            inner = torch.nn.functional.linear(inner, *block["mlp.c_fc"])
            inner = inner * torch.sigmoid(1.702 * inner)
            x = x + torch.nn.functional.linear(inner, *block["mlp.c_proj"])
        x = torch.layer_norm(x.permute(1, 0, 2), (WIDTH,), *self.last, eps=1e-12)
        return unit(x[:, int(padded[0].argmax())] @ self.projections[1])[0]


def _block():
    attention = torch.nn.MultiheadAttention(WIDTH, 2).eval()
    for weight in attention.parameters():
        weight.data.normal_(0, 0.5)
    return {
        "attn": attention,
        "ln_1": [torch.randn(WIDTH), torch.randn(WIDTH)],
        "ln_2": [torch.randn(WIDTH), torch.randn(WIDTH)],
        "mlp.c_fc": [torch.randn(4 * WIDTH, WIDTH), torch.randn(4 * WIDTH)],
        "mlp.c_proj": [torch.randn(WIDTH, 4 * WIDTH), torch.randn(WIDTH)],
    }


def _pair(name, weights):
    return {f"{name}.{kind}": w for kind, w in zip(("weight", "bias"), weights, strict=True)}


def _theirs(name):
    """The authors' name of a weight of DaViT."""
    if name.startswith("convs."):
        return name.replace(".conv.", ".proj.")
    block = "window_attn" if ".spatial_block." in name else "channel_attn"
    name = name.replace(".norm1.", f".{block}.norm.")
    for ours, theirs in DEEP:
        if f"{block}.norm." not in name:
            name = name.replace(ours, theirs)
    return name


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    model = Insight()
    return model, model.save(tmp_path_factory.mktemp("hub") / "MedImageInsights" / "2024.09.27")


def test_images_and_texts_have_the_vectors_of_the_formula(published):
    model, folder = published
    for chosen in (folder, folder.parent):
        got = load_model(chosen, "cpu")
    image = np.random.default_rng(3).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    assert_allclose(got.encode_images([image])[0], model.image_vector(image), atol=1e-5)
    wanted = np.stack([model.text_vector(text) for text in TEXTS])
    assert_allclose(got.encode_text(TEXTS), wanted, atol=1e-5)
    assert [got.is_cut(text) for text in TEXTS] == [False, False, True]
    assert got.encode_patches([image]).shape == (1, 2, 2, SPACE)


def test_labels_are_compared_as_they_are_typed(published):
    model, folder = published
    volume = axial((SIDE, SIDE))
    query = LabelQuery(("mass", "cyst"), window=GREY)
    result = dispatch.label(loaded(folder, volume), volume, query, go_on)
    image = model.image_vector(picture_of(volume, result.slices[0], GREY).pixels)
    logits = np.exp(2.0) * np.array([image @ model.text_vector(text) for text in query.labels])
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert list(result.probabilities.values()) == pytest.approx(wanted.tolist(), abs=1e-4)
    assert result.prompts["mass"] == "mass"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"LANG_ENCODER": CONFIG["LANG_ENCODER"] | {"AUTOGRESSIVE": True}}, "another network"),
        ({"IMAGE_ENCODER": {}}, "SPEC"),
        ({"LANG_ENCODER": CONFIG["LANG_ENCODER"] | {"LAYERS": 3}}, "weights are missing"),
    ],
)
def test_another_configuration_is_refused(published, tmp_path, change, message):
    folder = published[0].save(tmp_path / "2024.09.27")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | change))
    with pytest.raises(BackendUnavailable, match=message):
        load_model(folder, "cpu")
