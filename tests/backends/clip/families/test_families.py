"""FLAIR, BioViL and ConceptCLIP in the files of their authors answer by the authors' formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.clip.wording import TEMPLATES
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
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


class ConceptClip:
    """The toy's vectors, and scores mixed by the formulas of the authors' evaluations."""

    def __init__(self, matrix, bias, words, pixels):
        colours = torch.tensor(pixels / 127.5 - 1).reshape(16, 2, 16, 2, 3).mean(dim=(1, 3))
        patches = (colours.float() @ matrix.T + bias).reshape(256, 4)
        self.patches, self.image, self.words = unit(patches), unit(patches.mean(0)), words

    def tokens(self, text):
        pieces = [p for w in text.split() for p in (w[0], *(f"##{letter}" for letter in w[1:]))]
        own = self.words[[PIECES.index(p) for p in ("[CLS]", *pieces, "[SEP]")]]
        return pieces, own, own.mean(0)

    def last(self, text):
        return unit(self.words[0] + self.tokens(text)[2])

    def label(self, text, label):
        pieces, own, mean = self.tokens(text)
        return mean + own[[pieces.index(p) + 1 for p in self.tokens(label)[0]]].mean(0)

    def exclusive(self, labels):
        whole = [
            unit(sum(torch.tensor(unit(self.tokens(t.format(n))[2])) for t in TEMPLATES))
            for n in labels
        ]
        near = [unit(sum(self.label(t.format(n), n) for t in TEMPLATES)) for n in labels]
        cosines = np.sort(self.patches @ np.array(near).T, axis=0)[-128:].mean(axis=0)
        shares = [
            np.exp(x) / np.exp(x).sum() for x in (4 * np.array(whole) @ self.image, 6 * cosines)
        ]
        return np.mean(shares, axis=0)

    def present(self, label):
        texts = [f"there is {label}", f"there is no {label}"]
        whole = [self.image @ unit(self.tokens(text)[2]) for text in texts]
        near = [self.patches.mean(axis=0) @ self.last(text) for text in texts]
        logits = 4 * (whole[0] - whole[1]), 6 * (near[0] - near[1])
        return np.mean([1 / (1 + np.exp(-x)) for x in logits])

    def best(self, phrase):
        difference = self.last(phrase) - self.last("an image")
        return float((1 / (1 + np.exp(-6 * self.patches @ difference))).max())


def test_conceptclip_is_asked_by_its_own_code_in_a_worker_once_it_is_trusted(tmp_path):
    folder = tmp_path / "ConceptCLIP"
    weights = save_concept_clip(folder)
    volume = axial((32, 32))
    queries = [LabelQuery(("nodule", "cyst"), exclusive=e, window=GREY) for e in (True, False)]
    with pytest.raises(BackendUnavailable, match="not trusted"):
        load_model(folder, "cpu")
    trust(folder)
    with pytest.raises(BackendUnavailable, match="only in a worker"):
        load_model(folder, "cpu")
    with RoutedRunner() as runner:
        labels = [
            runner.submit(LabelRequest("similarity", volume, str(folder), query=query)).result()
            for query in queries
        ]
        phrases = GroundQuery(("nodule",), Scope.of_slice(0, 0), window=GREY)
        ground = GroundRequest("similarity", volume, str(folder), query=phrases)
        grounding = runner.submit(ground).result().grounding
    exclusive, each = (reply.labelling for reply in labels)
    wanted = ConceptClip(*weights, picture_of(volume, exclusive.slices[0], GREY).pixels)
    names = queries[0].labels
    got = list(exclusive.probabilities.values())
    assert got == pytest.approx(wanted.exclusive(names).tolist(), abs=1e-4)
    assert dict(each.probabilities) == pytest.approx(
        {name: wanted.present(name) for name in names}, abs=1e-4
    )
    shown = ConceptClip(*weights, picture_of(volume, SliceRef(0, 0), GREY).pixels)
    scores = [r.score for r in grounding.regions] + [n.best_score for n in grounding.not_found]
    assert scores == [pytest.approx(shown.best("nodule"), abs=0.02)]  # interpolated between patches


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
