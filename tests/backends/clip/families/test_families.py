"""FLAIR, BioViL and ConceptCLIP in the files of their authors answer by the authors' formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import GroundRequest, LabelRequest
from tests.backends.clip.by_hand import GREY, axial, go_on, loaded
from tests.backends.clip.families.tiny_families import (
    PIECES,
    BioVil,
    Flair,
    save_concept_clip,
    unit,
    write_vocabulary,
)

TEXTS = ("a nodule", "glaucoma", "no oedema at all")


def noise(side):
    return np.random.default_rng(3).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def flair(tmp_path_factory):
    model = Flair()
    return model, model.save(tmp_path_factory.mktemp("hub") / "flair")


@pytest.fixture(scope="module", params=[False, True], ids=["BioViL", "BioViL-T"])
def biovil(request, tmp_path_factory):
    model = BioVil(temporal=request.param)
    return model, model.save(tmp_path_factory.mktemp("hub") / "biovil")


def test_flair_encodes_images_and_texts_by_the_formula_of_its_authors(flair):
    model, folder = flair
    got = load_model(folder, "cpu")
    square = noise(512)
    assert_allclose(got.encode_images([square]), model.image_vector(square), atol=1e-5)
    wanted = np.stack([model.text_vector(folder, text) for text in TEXTS])
    assert_allclose(got.encode_text(TEXTS), wanted, atol=1e-5)
    assert got.logit_scale == pytest.approx(np.exp(2.5))
    assert got.encode_patches([square]).shape == (1, 16, 16, 16)
    assert got.is_cut("a" * 80)
    assert not got.is_cut("a" * 70)


def test_labels_of_flair_have_its_caption_and_the_mean_of_their_descriptors(flair):
    model, folder = flair
    volume = axial((512, 512))
    descriptors = {"glaucoma": ("thin rim", "large cup")}
    query = LabelQuery(("glaucoma", "normal"), descriptors=descriptors, window=GREY)
    result = dispatch.label(loaded(folder, volume), volume, query, go_on)
    texts = {"glaucoma": ("thin rim", "large cup", "glaucoma"), "normal": ("normal",)}
    vectors = {
        label: np.mean(
            [model.text_vector(folder, f"A fundus photograph of {text}") for text in own], axis=0
        )
        for label, own in texts.items()
    }
    image = model.image_vector(picture_of(volume, result.slices[0], GREY).pixels)[0]
    logits = np.exp(2.5) * np.array([image @ vectors[label] for label in query.labels])
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert list(result.probabilities.values()) == pytest.approx(wanted.tolist(), abs=1e-4)
    assert result.prompts["normal"] == "A fundus photograph of normal"


def test_biovil_encodes_images_places_and_texts_by_the_formula_of_its_authors(biovil):
    model, folder = biovil
    got = load_model(folder, "cpu")
    side = 448 if model.temporal else 480
    image = noise(side)
    places = model.places(np.asarray(Image.fromarray(image).convert("L")))
    assert_allclose(got.encode_images([image]), unit(places.mean(dim=(2, 3))), atol=1e-5)
    assert_allclose(got.encode_patches([image]), unit(places.permute(0, 2, 3, 1)), atol=1e-5)
    wanted = np.stack([model.text_vector(folder, text) for text in TEXTS])
    assert_allclose(got.encode_text(TEXTS), wanted, atol=1e-5)


def test_findings_are_judged_by_the_formula_of_xplainer(biovil):
    model, folder = biovil
    volume = axial((480, 480), slices=2)
    descriptors = {"edema": ("haze", "cuffing"), "effusion": ("blunting",)}
    query = LabelQuery(
        ("edema", "effusion", "No finding"), exclusive=False, descriptors=descriptors,
        sentences=("There are {} indicating {}", "There are no {} indicating {}"), window=GREY,
    )  # fmt: skip
    result = dispatch.label(loaded(folder, volume), volume, query, go_on)
    side = (448, 448) if model.temporal else (480, 480)
    images = []
    for ref in result.slices:
        picture = Image.fromarray(picture_of(volume, ref, GREY).pixels).convert("L")
        grey = np.asarray(picture.resize(side, Image.Resampling.BILINEAR))
        images.append(unit(model.places(grey).mean(dim=(2, 3)))[0])
    wanted = {}
    for finding, own in descriptors.items():
        means = []
        for text in own:
            pair = [
                model.text_vector(folder, f"There are {no}{text} indicating {finding}")
                for no in ("", "no ")
            ]
            cosines = torch.tensor(
                np.array([[image @ vector for vector in pair] for image in images])
            )
            means.append(torch.softmax(cosines / 0.5, dim=1)[:, 0].mean().item())
        assert list(result.descriptors[finding].values()) == pytest.approx(means, abs=1e-4)
        wanted[finding] = np.exp(np.mean(np.log(means)))
    wanted["No finding"] = 1 - max(wanted.values())
    assert dict(result.probabilities) == pytest.approx(wanted, abs=1e-4)


def test_conceptclip_is_asked_by_its_own_code_in_a_worker_once_it_is_trusted(tmp_path):
    folder = tmp_path / "ConceptCLIP"
    matrix, bias, words = save_concept_clip(folder)
    volume = axial((32, 32))
    query = LabelQuery(("nodule", "cyst"), window=GREY)
    with pytest.raises(BackendUnavailable, match="not trusted"):
        load_model(folder, "cpu")
    trust(folder)
    with pytest.raises(BackendUnavailable, match="only in a worker"):
        load_model(folder, "cpu")
    with RoutedRunner() as runner:
        request = LabelRequest("similarity", volume, str(folder), query=query)
        labels = runner.submit(request).result().labelling
        phrases = GroundQuery(("nodule",), Scope.of_slice(0, 0), window=GREY)
        ground = GroundRequest("similarity", volume, str(folder), query=phrases)
        grounding = runner.submit(ground).result().grounding
    pixels = torch.tensor(picture_of(volume, labels.slices[0], GREY).pixels / 127.5 - 1)
    patches = pixels.reshape(4, 8, 4, 8, 3).mean(dim=(1, 3)).float() @ matrix.T + bias

    def pieces(text):
        joined = [
            letter if first else f"##{letter}"
            for word in text.split()
            for first, letter in zip([True] + [False] * len(word), word, strict=False)
        ]
        return words[[PIECES.index(p) for p in ("[CLS]", *joined, "[SEP]")]]

    image = unit(patches.mean(dim=(0, 1)))
    vectors = []
    for label in query.labels:
        own = [unit(pieces(t.format(label)).mean(0)) for t in labels_templates()]
        vectors.append(unit(torch.tensor(np.mean(own, axis=0))))
    logits = 4 * np.array(vectors) @ image
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert list(labels.probabilities.values()) == pytest.approx(wanted.tolist(), abs=1e-4)
    assert not grounding.regions or grounding.regions[0].heatmap is not None
    # both phrases end with the same token, so every patch is as near to one as to the other
    assert [n.best_score for n in grounding.not_found] in ([], [pytest.approx(0.5, abs=1e-4)])


def labels_templates():
    from napari_medvlm.backends.clip.wording import TEMPLATES

    return TEMPLATES


def test_a_checkpoint_without_its_vocabulary_or_weights_is_refused(flair, tmp_path):
    _, folder = flair
    state = torch.load(folder / "flair_resnet.pth", weights_only=True)
    bare = tmp_path / "bare"
    bare.mkdir()
    torch.save(state, bare / "flair_resnet.pth")
    with pytest.raises(BackendUnavailable, match="emilyalsentzer/Bio_ClinicalBERT"):
        load_model(bare, "cpu")
    del state["vision_model.model.layer1.0.conv1.weight"]
    torch.save(state, write_vocabulary(bare) / "flair_resnet.pth")
    with pytest.raises(BackendUnavailable, match=r"layer1\.0\.conv1\.weight"):
        load_model(bare, "cpu")
