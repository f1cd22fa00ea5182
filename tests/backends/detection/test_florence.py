"""Florence-2 is asked and read as the library does it, and its boxes lie where it saw them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose

from napari_medvlm.backends.detection.florence import FlorenceBackend
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.models.catalog import row_for
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import (
    NAMES,
    SHAPES,
    asked,
    force,
    in_picture,
    picture,
    volume_of,
)

TASK = "<CAPTION_TO_PHRASE_GROUNDING>"
WRITTEN = "left kidney<loc_100><loc_250><loc_500><loc_749>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.florence(tmp_path_factory.mktemp("florence-2-tiny"))


@pytest.fixture
def backend(folder, monkeypatch):
    return new_backend(folder, monkeypatch)


def new_backend(folder, monkeypatch):
    monkeypatch.setattr(
        FlorenceBackend, "settings", {**FlorenceBackend.settings, "max_new_tokens": 16}
    )
    backend = FlorenceBackend()
    backend.load(str(folder), "cpu")
    return backend


@pytest.mark.parametrize("name", NAMES)
def test_the_text_and_its_score_are_the_librarys(backend, folder, name):
    volume, slice_ref = volume_of(name)
    result = asked(backend, volume, slice_ref, "left kidney")
    model = hf.Florence2ForConditionalGeneration.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    inputs = processor(
        text=f"{TASK}left kidney", images=picture(volume, slice_ref).pixels, return_tensors="pt"
    )
    with torch.inference_mode():
        out = model.generate(
            **inputs, do_sample=False, num_beams=3, max_new_tokens=16, output_scores=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    (text,) = processor.batch_decode(out.sequences, skip_special_tokens=False)
    assert result.texts == (text.replace("</s>", "").replace("<pad>", ""),)
    _, score = backend._write(framed(picture(volume, slice_ref).pixels, 0), f"{TASK}left kidney")
    steps = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices)
    count = np.sum(steps.numpy() < 0)
    assert score == pytest.approx(float(np.exp(steps.numpy().sum() / count)), abs=1e-4)
    # The library also counts the end, which is forced at the greatest length.
    assert score**count == pytest.approx(float(out.sequences_scores.exp()) ** 16, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_the_librarys_at_their_place_in_the_patient(backend, name):
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    force(backend, WRITTEN)
    (region,) = asked(backend, volume, slice_ref, "left kidney").regions
    height, width = shown.size
    wanted = np.array([0.1005, 0.2505, 0.5005, 0.7495]) * (width, height, width, height)
    assert_allclose(in_picture(region, shown), wanted, atol=1e-3)
    library = backend._loaded.processor.post_process_generation(
        text=WRITTEN, task=TASK, image_size=(width, height)
    )[TASK]
    assert library["labels"] == [region.name] == ["left kidney"]
    assert_allclose(in_picture(region, shown), library["bboxes"][0], atol=1)  # whole pixels
    assert 0 < region.score < 1
    assert region.slice == slice_ref


@pytest.mark.parametrize("name", SHAPES)
def test_agkd_is_shown_a_black_square_and_its_boxes_come_back_from_it(
    folder, tmp_path, monkeypatch, name
):
    model_folder = tmp_path / "RioJune" / "AG-KD-merged"
    shutil.copytree(folder, model_folder)
    backend = new_backend(model_folder, monkeypatch)
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    height, width = shown.size
    scale, side = 512 / max(shown.size), max(shown.size)
    square = framed(shown.pixels, 512).pixels
    assert square.shape == (512, 512, 3)
    top, left = (512 - round(height * scale)) // 2, (512 - round(width * scale)) // 2
    assert not square[:top].any()
    assert not square[:, :left].any()
    assert square[top : 512 - top, left : 512 - left].any()

    force(backend, "nodule<loc_400><loc_450><loc_550><loc_600>")
    result = asked(
        backend, volume, slice_ref, "nodule", prompts={"nodule": "nodule means a small round spot"}
    )
    assert result.prompts == {
        "nodule": f"{TASK}Locate the phrases in the caption: nodule means a small round spot."
    }
    margin = np.array([side - width, side - height] * 2) / 2
    wanted = np.array([0.4005, 0.4505, 0.5505, 0.6005]) * side - margin
    assert_allclose(in_picture(result.regions[0], shown), wanted, atol=0.02)


def test_a_box_in_the_margin_is_reported_and_not_given(folder, tmp_path, monkeypatch):
    model_folder = tmp_path / "AG-KD"
    shutil.copytree(folder, model_folder)
    backend = new_backend(model_folder, monkeypatch)
    force(backend, "nodule<loc_400><loc_2><loc_550><loc_60>")
    result = asked(backend, *volume_of("landscape"), "nodule")
    assert not result.regions
    assert result.not_found[0].phrase == "nodule"
    assert "'nodule': a box lies outside the image, in its margin." in result.notes


def test_what_cannot_be_read_is_reported_and_is_not_found(backend):
    result = asked(backend, *volume_of("square"), "left kidney", "spleen")
    assert not result.regions
    assert [missing.phrase for missing in result.not_found] == ["left kidney", "spleen"]
    assert len(result.texts) == 2
    kinds = [note.partition(":")[0] for note in result.notes]
    assert kinds == ["'left kidney'", "'spleen'", "Florence-2"]


def test_the_same_again_is_the_same_and_the_image_is_left_alone(backend):
    volume, slice_ref = volume_of("sagittal and oblique")
    before = volume.data.copy()
    volume.data.flags.writeable = False
    force(backend, WRITTEN)
    first, second = (asked(backend, volume, slice_ref, "left kidney") for _ in range(2))
    assert first.texts == second.texts == (WRITTEN,)
    assert [r.score for r in first.regions] == [r.score for r in second.regions]
    assert np.array_equal(volume.data, before)


def test_another_kind_of_model_is_refused(tmp_path):
    folder = tiny.owl(tmp_path / "owlv2")
    with pytest.raises(BackendUnavailable, match="how the owlv2 model .* writes boxes"):
        FlorenceBackend().load(str(folder), "cpu")


def test_a_missing_model_is_not_downloaded_and_the_command_is_named():
    with pytest.raises(
        BackendUnavailable, match="medvlm models download florence-community/no-such"
    ):
        FlorenceBackend().load("florence-community/no-such", "cpu")


def test_a_description_is_sent_in_the_sentence_of_ag_kd_and_nowhere_else(folder, monkeypatch):
    backend = new_backend(folder, monkeypatch)
    volume, slice_ref = volume_of("square")
    more = {"descriptions": {"nodule": "a small round opacity"}}
    plain = asked(backend, volume, slice_ref, "nodule", **more)
    assert plain.prompts == {"nodule": f"{TASK}nodule"}
    backend._row = row_for("florence", "RioJune/AG-KD-merged", "florence2")
    described = asked(backend, volume, slice_ref, "nodule", **more)
    assert described.prompts == {
        "nodule": f"{TASK}Locate the phrases in the caption: nodule means a small round opacity."
    }
