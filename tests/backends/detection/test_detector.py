"""A detector's boxes and scores are the library's own, at their place in the patient."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose

from napari_medvlm.backends.detection.detector import DetectorBackend
from napari_medvlm.backends.dispatch import ground
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.volume import Modality, Volume
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import NAMES, asked, in_picture, picture, volume_of

FAMILIES = {"dino": tiny.dino, "owl": tiny.owl}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in FAMILIES.items()}


@pytest.fixture(scope="module")
def backends(folders):
    loaded_backends = {name: DetectorBackend() for name in FAMILIES}
    for name, backend in loaded_backends.items():
        backend.load(str(folders[name]), "cpu")
        backend.most = 100
    return loaded_backends


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return request.param


def by_hand(folder, family, pixels, text):
    """Boxes and scores of the library, for one phrase, above the threshold."""
    settings = {"local_files_only": True}
    model = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder, **settings).eval()
    processor = hf.AutoProcessor.from_pretrained(folder, **settings)
    texts = text if family == "dino" else [[text]]
    inputs = processor(images=pixels, text=texts, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    if family == "dino":  # the model gives scores to the tokens that part phrases too
        words = torch.isin(inputs["input_ids"][0], torch.arange(200, 300))
        outputs["logits"] = outputs.logits[..., : len(words)][..., words]
    result = processor.post_process_grounded_object_detection(
        outputs, threshold=0.05, target_sizes=[pixels.shape[:2]]
    )[0]
    return result["boxes"].numpy(), result["scores"].numpy()


@pytest.mark.parametrize("name", NAMES)
def test_boxes_and_scores_are_the_librarys(backends, folders, family, name):
    volume, slice_ref = volume_of(name)
    result = asked(backends[family], volume, slice_ref, "Left kidney")
    shown = picture(volume, slice_ref)
    text = "left kidney." if family == "dino" else "Left kidney"
    boxes, scores = by_hand(folders[family], family, shown.pixels, text)
    height, width = shown.size
    cut = np.clip(boxes, 0, (width, height, width, height))
    inside = ((cut[:, 2:] - cut[:, :2]) > 1e-3).all(axis=1)
    order = np.flatnonzero(inside)[np.argsort(-scores[inside], kind="stable")]

    assert len(result.regions) == len(order) > 2
    assert_allclose([region.score for region in result.regions], scores[order], atol=1e-4)
    ours = [in_picture(region, shown) for region in result.regions]
    assert_allclose(ours, cut[order], atol=1e-3)
    for region in result.regions:
        start, stop = region.box.bounds(volume.grid)
        assert start[slice_ref.axis] == slice_ref.index
        assert stop[slice_ref.axis] == slice_ref.index + 1
    assert result.prompts == {"Left kidney": text}


@pytest.mark.parametrize("shape", [(40, 40), (48, 30), (30, 48)])
def test_boxes_of_the_model_are_mapped_to_the_original_image(backends, family, shape):
    """Whatever the processor does to the pixels, a box around what the model sees comes back."""
    data = np.zeros((1, *shape), np.int16)
    data[0, 9:21, 6:16] = 300
    volume = Volume(data, np.eye(4), Modality.CT)
    shown = picture(volume, SliceRef(0, 0))
    backend = backends[family]
    text = "tumour." if family == "dino" else ["tumour"]
    outputs = backend._outputs([shown], text)
    processor = backend._loaded.processor
    seen = processor.image_processor([shown.pixels], return_tensors="pt")["pixel_values"][0, 0]
    bright = seen.numpy() > seen.numpy().mean() + seen.numpy().std()
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    low = np.array([columns[0], rows[0]]) / bright.shape[::-1]
    high = np.array([columns[-1] + 1, rows[-1] + 1]) / bright.shape[::-1]
    expected_box = torch.tensor([*(low + high) / 2, *(high - low)], dtype=torch.float32)
    outputs["pred_boxes"] = expected_box.expand(outputs.pred_boxes.shape)
    (result,) = backend._boxes(outputs, [0], [shown.size])
    x0, y0, x1, y1 = result.boxes[0]
    box = shown.box((x0, y0, x1, y1))
    start, stop = box.bounds(volume.grid)
    assert_allclose(start[1:], (9, 6), atol=1.01)
    assert_allclose(stop[1:], (21, 16), atol=1.01)


def test_a_phrase_keeps_its_boxes_when_others_are_asked_too(backends, family):
    volume, slice_ref = volume_of("landscape")
    phrases = ("spleen", "left kidney", "lung nodule")
    together = asked(backends[family], volume, slice_ref, *phrases)
    assert {region.phrase for region in together.regions} == set(phrases)
    if family == "owl":  # Grounding DINO lets the words of a text act on each other
        for phrase in phrases:
            alone = asked(backends[family], volume, slice_ref, phrase)
            scores = [region.score for region in together.of(phrase)]
            assert_allclose(scores, [region.score for region in alone.regions], atol=1e-5)


def test_more_phrases_than_the_model_reads_at_once_are_all_answered(backends, family):
    volume, slice_ref = volume_of("square")
    phrases = tuple(f"{a} {b}" for a in ("left", "right") for b in ("kidney", "lung", "tumour"))
    result = asked(backends[family], volume, slice_ref, *phrases)
    assert {r.phrase for r in result.regions} | {n.phrase for n in result.not_found} == set(phrases)


def test_a_phrase_longer_than_the_model_reads_is_refused(backends, family):
    volume, slice_ref = volume_of("square")
    with pytest.raises(InvalidPrompt, match="tokens; the model reads 16"):
        asked(backends[family], volume, slice_ref, "left " * 20)


def test_stops_within_a_phrase_do_not_part_it(backends):
    volume, slice_ref = volume_of("square")
    result = asked(backends["dino"], volume, slice_ref, "Nodule. Of the lung?")
    assert result.prompts == {"Nodule. Of the lung?": "nodule of the lung."}


def test_another_prompt_can_be_sent_for_a_phrase(backends, family):
    volume, slice_ref = volume_of("square")
    other = asked(backends[family], volume, slice_ref, "mass", prompts={"mass": "bright nodule"})
    same = asked(backends[family], volume, slice_ref, "bright nodule")
    assert {region.phrase for region in other.regions} == {"mass"}
    assert [r.score for r in other.regions] == [r.score for r in same.regions]


def test_scores_below_the_threshold_are_not_found_and_the_best_is_reported(
    backends, family, monkeypatch
):
    volume, slice_ref = volume_of("square")
    score = asked(backends[family], volume, slice_ref, "spleen").regions[0].score
    monkeypatch.setattr(backends[family], "threshold", 0.99999)
    (missing,) = asked(backends[family], volume, slice_ref, "spleen").not_found
    assert missing.best_score == pytest.approx(score)


def test_only_the_best_boxes_are_kept_and_that_is_reported(backends, family, monkeypatch):
    volume, slice_ref = volume_of("square")
    many = asked(backends[family], volume, slice_ref, "spleen")
    monkeypatch.setattr(backends[family], "most", 2)
    few = asked(backends[family], volume, slice_ref, "spleen")
    assert [r.score for r in few.regions] == [r.score for r in many.regions[:2]]
    assert "Of 'spleen' only the best 2 boxes per slice are used." in few.notes


def test_the_same_again_is_the_same_and_the_image_is_left_alone(backends, family):
    volume, _ = volume_of("sagittal and oblique")
    before = volume.data.copy()
    volume.data.flags.writeable = False
    backend = backends[family]
    backend.set_volume(volume)
    query = GroundQuery(("left kidney", "spleen"), Scope(axis=2, slice_step_mm=6))
    first, second = (ground(backend, volume, query, lambda *_: None) for _ in range(2))
    assert len(first.slices) > 4
    assert [r.score for r in first.regions] == [r.score for r in second.regions]
    assert np.array_equal(volume.data, before)


def test_the_training_images_of_the_model_are_noted(backends, family):
    result = asked(backends[family], *volume_of("square"), "spleen")
    assert "Trained on photographs" in result.notes[-1]
    assert result.ran_on == "cpu, float32"


def test_a_model_in_the_librarys_cache_is_found_by_its_id(folders, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cache = tmp_path / "models--someone--tiny"
    shutil.copytree(folders["owl"], cache / "snapshots" / "0123abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0123abc")
    backend = DetectorBackend()
    backend.load("someone/tiny", "cpu")
    assert asked(backend, *volume_of("square"), "spleen").regions


def test_a_missing_model_is_not_downloaded_and_the_command_is_named():
    backend = DetectorBackend()
    with pytest.raises(
        BackendUnavailable, match="medvlm models download IDEA-Research/no-such-dino"
    ):
        backend.load("IDEA-Research/no-such-dino", "cpu")
    with pytest.raises(BackendUnavailable, match="no folder /no/such/place"):
        backend.load("/no/such/place", "cpu")
    with pytest.raises(BackendUnavailable, match="none was given"):
        backend.load(None, "cpu")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BackendUnavailable, match=r"no config\.json"):
        DetectorBackend().load(str(tmp_path), "cpu")


def test_weights_that_are_missing_are_not_made_up(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "owlv2"
    shutil.copytree(folders["owl"], folder)
    weights = load_file(folder / "model.safetensors")
    del weights["box_head.dense0.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackendUnavailable, match="lacks 1 of the weights of owlv2"):
        DetectorBackend().load(str(folder), "cpu")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackendUnavailable, match="cannot load the owlv2 model"):
        DetectorBackend().load(str(folder), "cpu")


@pytest.mark.parametrize("device", ["cuda", "abacus"])
def test_a_device_that_is_not_there_is_reported(folders, family, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        BackendUnavailable, match=f"{device}.*(cannot be used|not the name of a device)"
    ):
        DetectorBackend().load(str(folders[family]), device)
