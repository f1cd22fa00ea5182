"""Labels are as likely as the libraries called by hand say, and descriptors speak for them."""

import numpy as np
import pytest
import torch

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.wording import TEMPLATES
from napari_medvlm.backends.clip.zero_shot import ZeroShotClassifier
from napari_medvlm.data.classification import LabelQuery, combined
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from tests.backends.clip.by_hand import (
    GREY,
    SHAPES,
    axial,
    by_hand_square,
    go_on,
    loaded,
    open_clip_by_hand,
)
from tests.backends.clip.tiny_clip import save_all


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return save_all(tmp_path_factory.mktemp("models"))


def library_logits(folders, kind, picture, texts):
    """Logits ``(texts,)`` of transformers' own model for a picture."""
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(folders[kind])
    processor = AutoProcessor.from_pretrained(folders[kind])
    square = by_hand_square(picture)
    inputs = processor(images=square, text=texts, padding="max_length", return_tensors="pt")
    with torch.no_grad():
        out = model(**inputs)
        mean = out.text_embeds.reshape(-1, len(TEMPLATES), out.text_embeds.shape[-1]).mean(1)
        cosines = torch.cosine_similarity(out.image_embeds, mean)
        bias = model.logit_bias if kind == "siglip" else 0.0
        return out.logits_per_image[0], cosines * model.logit_scale.exp() + bias


LABELS = ("edema", "mass", "normal chest")
IN_TEMPLATES = [template.format(label) for label in LABELS for template in TEMPLATES]


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_labels_that_exclude_each_other_are_those_of_the_library(folders, kind, shape):
    volume = axial(SHAPES[shape], slices=3)
    query = LabelQuery(LABELS, window=GREY)
    result = dispatch.label(loaded(folders[kind], volume), volume, query, go_on)
    reference_values = [
        torch.softmax(library_logits(folders, kind, picture, IN_TEMPLATES)[1], 0)
        for picture in (picture_of(volume, ref, GREY).pixels for ref in result.slices)
    ]
    wanted = dict(zip(LABELS, torch.stack(reference_values).mean(0).tolist(), strict=True))
    assert result.probabilities == pytest.approx(wanted, abs=1e-4)
    assert sum(result.probabilities.values()) == pytest.approx(1)
    assert len(result.slices) == 3
    assert result.prompts["mass"].splitlines() == [t.format("mass") for t in TEMPLATES]


def test_labels_by_open_clip_are_those_of_the_library(folders):
    volume = axial(SHAPES["portrait"])
    query = LabelQuery(LABELS, exclusive=False, window=GREY)
    pixels = by_hand_square(picture_of(volume, SliceRef(0, 0), GREY).pixels)
    for kind in ("vit", "timm", "resnet"):
        texts = [f"there is {no}{label}" for label in LABELS for no in ("", "no ")]
        with torch.no_grad():
            model, image, vectors = open_clip_by_hand(folders[kind], pixels, texts)
            cosines = torch.cosine_similarity(model.encode_image(image), vectors).reshape(-1, 2)
            wanted = torch.softmax(model.logit_scale.exp() * cosines, 1)[:, 0].tolist()
        result = dispatch.label(loaded(folders[kind], volume), volume, query, go_on)
        assert list(result.probabilities.values()) == pytest.approx(wanted, abs=1e-4)


def test_a_label_alone_is_judged_against_its_absence(folders):
    volume = axial(SHAPES["landscape"])
    query = LabelQuery(("mass",), exclusive=False, window=GREY)
    result = dispatch.label(loaded(folders["clip"], volume), volume, query, go_on)
    picture = picture_of(volume, SliceRef(0, 0), GREY).pixels
    texts = ["there is mass", "there is no mass", "to make three"]
    logits, _ = library_logits(folders, "clip", picture, texts)
    assert result.probabilities["mass"] == pytest.approx(logits[:2].softmax(0)[0].item(), abs=1e-4)
    assert result.prompts == {"mass": "there is mass\nthere is no mass"}


def test_siglip_gives_each_label_its_own_probability(folders):
    volume = axial(SHAPES["landscape"])
    query = LabelQuery(LABELS, exclusive=False, window=GREY)
    result = dispatch.label(loaded(folders["siglip"], volume), volume, query, go_on)
    picture = picture_of(volume, SliceRef(0, 0), GREY).pixels
    _, logits = library_logits(folders, "siglip", picture, IN_TEMPLATES)
    wanted = dict(zip(LABELS, logits.sigmoid().tolist(), strict=True))
    assert result.probabilities == pytest.approx(wanted, abs=1e-4)
    assert all(0 <= p <= 1 for p in result.probabilities.values())


def test_descriptors_speak_for_their_label(folders):
    volume = axial(SHAPES["square"], slices=2)
    descriptors = {"mass": ("round opacity", "spiculated opacity", "lobulated margin")}
    query = LabelQuery(("mass", "edema"), exclusive=False, descriptors=descriptors, window=GREY)
    backend = loaded(folders["clip"], volume)
    result = dispatch.label(backend, volume, query, go_on)
    own = result.descriptors["mass"]
    assert list(own) == list(descriptors["mass"])
    texts = [f"there is {no}round opacity indicating mass" for no in ("", "no ")] + ["a third"]
    pairs = [
        library_logits(folders, "clip", picture_of(volume, ref, GREY).pixels, texts)[0][:2]
        for ref in result.slices
    ]
    wanted = torch.stack(pairs).softmax(1)[:, 0].mean().item()
    assert own["round opacity"] == pytest.approx(wanted, abs=1e-4)
    assert result.prompts["mass: round opacity"].splitlines() == texts[:2]
    assert result.probabilities["mass"] == pytest.approx(np.prod(list(own.values())) ** (1 / 3))
    without = combined(own, off=["spiculated opacity"])
    two = own["round opacity"] * own["lobulated margin"]
    assert without == pytest.approx(two**0.5)
    assert without != pytest.approx(result.probabilities["mass"], rel=1e-6)
    assert 0 <= result.probabilities["edema"] <= 1
    exclusive = dispatch.label(
        backend, volume, LabelQuery(query.labels, descriptors=descriptors, window=GREY), go_on
    )
    total = sum(result.probabilities.values())
    assert exclusive.probabilities == pytest.approx(
        {name: p / total for name, p in result.probabilities.items()}
    )


def test_a_region_is_cut_out_with_its_margin(folders):
    volume = axial((60, 80), slices=4)
    region = Box.at_index(volume, (1, 20, 30), (3, 40, 40))
    query = LabelQuery(LABELS, region=region, window=GREY)
    backend = loaded(folders["clip"], volume)
    result = dispatch.label(backend, volume, query, go_on)
    assert [ref.index for ref in result.slices] == [1, 2]
    assert "10%" in result.notes[0]
    reference_values = []
    for ref in result.slices:
        cut = picture_of(volume, ref, GREY).pixels[18:42, 28:42]
        reference_values.append(library_logits(folders, "clip", cut, IN_TEMPLATES)[1].softmax(0))
    wanted = dict(zip(LABELS, torch.stack(reference_values).mean(0).tolist(), strict=True))
    assert result.probabilities == pytest.approx(wanted, abs=1e-4)
    off_region = LabelQuery(LABELS, region=region, scope=Scope.of_slice(0, 0))
    with pytest.raises(InvalidPrompt, match="on none of the 1 selected slices"):
        dispatch.label(backend, volume, off_region, go_on)


def test_far_apart_logits_do_not_overflow():
    images = np.array([[1, 0]], np.float32)
    vectors = {"there is a": (1, 0), "there is no a": (-1, 0)}
    judge = ZeroShotClassifier(images, lambda text: np.array(vectors[text], np.float32), 1e4, None)
    assert judge.judge(LabelQuery(("a",), exclusive=False))[0] == {"a": 1.0}
