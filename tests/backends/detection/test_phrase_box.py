"""MedRPG in the file of its authors gives the box of their formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.detection.detector import DetectorBackend
from napari_medvlm.backends.detection.phrase_box import NOTE, PhraseBoxModel, phrase_box_file
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.slice_image import picture_of
from tests.backends.clip.by_hand import GREY, axial, go_on
from tests.backends.clip.families.tiny_families import (
    PIECES,
    WIDTH,
    places_of,
    tiny_bert,
    tiny_resnet,
    write_vocabulary,
)

SPACE, INNER, TOKENS, WORDS = 32, 24, 400, 20


def layers(prefix):
    """Random weights of two layers of an encoder."""
    shapes = {
        "self_attn.in_proj_weight": (3 * SPACE, SPACE), "self_attn.in_proj_bias": (3 * SPACE,),
        "self_attn.out_proj.weight": (SPACE, SPACE), "self_attn.out_proj.bias": (SPACE,),
        "linear1.weight": (INNER, SPACE), "linear1.bias": (INNER,),
        "linear2.weight": (SPACE, INNER), "linear2.bias": (SPACE,), "norm1.weight": (SPACE,),
        "norm1.bias": (SPACE,), "norm2.weight": (SPACE,), "norm2.bias": (SPACE,),
    }  # fmt: skip
    return {
        f"{prefix}.encoder.layers.{number}.{name}": torch.randn(shape) / math.sqrt(shape[-1])
        for number in range(2)
        for name, shape in shapes.items()
    }


class MedRpg:
    """The model by its formula."""

    def __init__(self):
        torch.manual_seed(8)
        self.vision, self.text = tiny_resnet(), tiny_bert()
        self.state = layers("visumodel.transformer") | layers("vl_transformer")
        self.state["visumodel.input_proj.weight"] = torch.randn(SPACE, 2048, 1, 1) / 20
        for name, inner in (("visu_proj", SPACE), ("text_proj", WIDTH)):
            self.state[f"{name}.weight"] = torch.randn(SPACE, inner) / 4
        for number, outer in enumerate((SPACE, SPACE, 4)):
            self.state[f"bbox_embed.layers.{number}.weight"] = torch.randn(outer, SPACE) / 4
        for name in [n for n in self.state if n.endswith("weight") and "encoder" not in n]:
            self.state[name.replace("weight", "bias")] = torch.randn(len(self.state[name])) / 4
        self.state["vl_pos_embed.weight"] = torch.randn(1 + WORDS + TOKENS, SPACE)
        self.state["reg_token.weight"] = torch.randn(1, SPACE)

    def save(self, folder):
        state = dict(self.state)
        body = self.vision.state_dict().items()
        state |= {f"visumodel.backbone.0.body.{n}": w for n, w in body if n[:3] != "fc."}
        state |= {f"textmodel.bert.{n}": w for n, w in self.text.bert.state_dict().items()}
        write_vocabulary(folder)
        (folder / "config.json").write_text('{"num_attention_heads": 2}')
        torch.save({"model": state, "epoch": 7}, folder / "MedRPG_MS_CXR.pth")
        return folder

    def linear(self, name, x):
        return x @ self.state[f"{name}.weight"].flatten(1).T + self.state[f"{name}.bias"]

    def encoder(self, prefix, x, positions, padding):
        """Attention of eight heads, of which none attends to padding."""
        for number in range(2):
            own = f"{prefix}.encoder.layers.{number}"
            weight, bias = (self.state[f"{own}.self_attn.in_proj_{n}"] for n in ("weight", "bias"))
            sources = (x + positions, x + positions, x)
            q, k, v = (
                (source @ part.T + shift).reshape(len(x), 8, -1).transpose(0, 1)
                for source, part, shift in zip(sources, weight.chunk(3), bias.chunk(3), strict=True)
            )
            scores = (q @ k.transpose(1, 2)) / math.sqrt(q.shape[-1])
            attention = scores.masked_fill(padding, -math.inf).softmax(-1)
            attended = (attention @ v).transpose(0, 1).reshape(len(x), -1)
            x = self.norm(f"{own}.norm1", x + self.linear(f"{own}.self_attn.out_proj", attended))
            inner = self.linear(f"{own}.linear1", x).clip(min=0)
            x = self.norm(f"{own}.norm2", x + self.linear(f"{own}.linear2", inner))
        return x

    def norm(self, name, x):
        return torch.nn.functional.layer_norm(
            x, (SPACE,), self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        )

    def box(self, square, padding, phrase):
        """``cx, cy, w, h`` as parts of a square image ``(640, 640, 3)``."""
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        pixels = (torch.tensor(square) / 255 - mean) / std * ~torch.tensor(padding)[..., None]
        places = places_of(self.vision, pixels.permute(2, 0, 1)[None].float())
        src = self.linear("visumodel.input_proj", places.flatten(2)[0].T)
        absent = torch.tensor(padding[::32, ::32])
        image = self.encoder("visumodel.transformer", src, sines(~absent), absent.flatten())
        image = self.linear("visu_proj", image)
        ids = [
            PIECES.index(p) for p in ("[CLS]", phrase[0], *(f"##{c}" for c in phrase[1:]), "[SEP]")
        ]
        mask = torch.tensor([1] * len(ids) + [0] * (WORDS - len(ids)))
        tokens = torch.tensor(ids + [0] * (WORDS - len(ids)))
        words = self.text.bert(tokens[None], attention_mask=mask[None]).last_hidden_state[0]
        x = torch.cat([self.state["reg_token.weight"], self.linear("text_proj", words), image])
        unused = torch.cat([torch.tensor([False]), mask == 0, absent.flatten()])
        x = self.encoder("vl_transformer", x, self.state["vl_pos_embed.weight"], unused)[0]
        for number in (0, 1):
            x = self.linear(f"bbox_embed.layers.{number}", x).clip(min=0)
        return self.linear("bbox_embed.layers.2", x).sigmoid().detach().numpy()


def sines(inside):
    """The positions of DETR, number by number."""
    rows, columns = inside.shape
    result = torch.zeros(rows, columns, SPACE, dtype=torch.float64)
    for y in range(rows):
        for x in range(columns):
            row, column = inside[: y + 1, x].sum(), inside[y, : x + 1].sum()
            places = (row / (inside[:, x].sum() + 1e-6), column / (inside[y].sum() + 1e-6))
            for axis, place in enumerate(places):
                for k in range(SPACE // 2):
                    angle = 2 * math.pi * place / 10000 ** (2 * (k // 2) / (SPACE // 2))
                    wave = math.sin if k % 2 == 0 else math.cos
                    result[y, x, axis * SPACE // 2 + k] = wave(angle)
    return result.float().flatten(0, 1)


@pytest.fixture(scope="module")
def medrpg(tmp_path_factory):
    model = MedRpg()
    return model, model.save(tmp_path_factory.mktemp("hub") / "medrpg")


def by_hand(model, pixels, phrase):
    """Edges in pixels of an image."""
    height, width = pixels.shape[:2]
    scale = 640 / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (640 - rows) // 2, (640 - columns) // 2
    square, padding = np.zeros((640, 640, 3), np.uint8), np.ones((640, 640), bool)
    fitted = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BILINEAR)
    square[top : top + rows, left : left + columns] = np.asarray(fitted)
    padding[top : top + rows, left : left + columns] = False
    x, y, w, h = 640 * model.box(square, padding, phrase)
    edges = np.array([x - w / 2 - left, y - h / 2 - top, x + w / 2 - left, y + h / 2 - top])
    return edges / np.tile([columns / width, rows / height], 2)


@pytest.mark.parametrize("size", [(48, 80), (96, 64)], ids=["landscape", "portrait"])
def test_the_box_of_a_phrase_is_that_of_the_formula(medrpg, size):
    model, folder = medrpg
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    got = PhraseBoxModel(folder, phrase_box_file(folder), "cpu").box(pixels, "Effusion")
    assert_allclose(got, by_hand(model, pixels, "effusion"), atol=1e-2)


def test_the_box_comes_back_as_a_region_of_the_slice_without_a_score(medrpg):
    model, folder = medrpg
    volume = axial((48, 80), slices=3)
    backend = DetectorBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    query = GroundQuery(("effusion",), Scope.of_slice(0, 1), window=GREY)
    grounding = dispatch.ground(backend, volume, query, go_on)
    slice_image = picture_of(volume, grounding.slices[0], GREY)
    x0, y0, x1, y1 = by_hand(model, slice_image.pixels, "effusion")
    wanted = slice_image.box((x0, y0, x1, y1))
    (region,) = grounding.regions
    assert_allclose(region.box.corners(), wanted.corners(), atol=1e-2)
    assert region.score is None
    assert NOTE in grounding.notes


def test_a_model_for_other_images_is_refused(medrpg, tmp_path):
    _, folder = medrpg
    state = torch.load(folder / "MedRPG_MS_CXR.pth", weights_only=True)["model"]
    state["vl_pos_embed.weight"] = torch.zeros(1621, SPACE)
    write_vocabulary(tmp_path)
    torch.save({"model": state}, tmp_path / "dilated.pth")
    with pytest.raises(BackendUnavailable, match="1621 positions"):
        PhraseBoxModel(tmp_path, phrase_box_file(tmp_path), "cpu")
