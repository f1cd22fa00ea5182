"""SAM 3's masks, boxes and scores are the library's own, at their position in the patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.backends.detection.sam3 import SAM3Backend
from napari_medvlm.backends.dispatch import ground
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.sessions.segment.by_name import findings
from tests.backends.detection.queries import NAMES, asked, in_picture, picture, volume_of
from tests.backends.detection.tiny_sam3 import sam3

PHRASES = ("left kidney", "bright tumour")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="module")
def backend(folder):
    backend = SAM3Backend()
    backend.load(str(folder), "cpu")
    return backend


def by_hand(folder, pixels, text):
    """What the library's own post-processing gives for a phrase, best first."""
    model = hf.Sam3Model.from_pretrained(folder, local_files_only=True).eval()
    processor = hf.Sam3Processor.from_pretrained(folder, local_files_only=True)
    inputs = processor(images=pixels, text=text, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    result = processor.post_process_instance_segmentation(
        outputs, threshold=0.05, target_sizes=[pixels.shape[:2]]
    )[0]
    order = result["scores"].argsort(descending=True, stable=True)
    return [result[key][order].numpy() for key in ("boxes", "scores", "masks")]


@pytest.mark.parametrize("name", NAMES)
def test_masks_boxes_and_scores_are_the_librarys(backend, folder, name):
    volume, slice_ref = volume_of(name)
    result = asked(backend, volume, slice_ref, *PHRASES)
    shown = picture(volume, slice_ref)
    for phrase in PHRASES:
        boxes, scores, masks = by_hand(folder, np.array(shown.pixels), phrase)
        height, width = shown.size
        cut = np.clip(boxes, 0, (width, height, width, height))
        inside = ((cut[:, 2:] - cut[:, :2]) > 1e-3).all(axis=1)
        regions = result.of(phrase)
        assert len(regions) == inside.sum() > 2
        assert_allclose([region.score for region in regions], scores[inside], atol=1e-5)
        ours = [in_picture(region, shown) for region in regions]
        assert_allclose(ours, cut[inside], atol=1e-3)
        for region, mask in zip(regions, masks[inside], strict=True):
            expected = shown.mask(mask.astype(bool))
            if not expected.voxels:
                assert region.mask is None
                continue
            assert_array_equal(region.mask.full(), expected.full())
            assert region.mask.start[slice_ref.axis] == slice_ref.index
            assert region.mask.crop.shape[slice_ref.axis] == 1
    assert any(region.mask is not None for region in result.regions)
    assert result.prompts == {phrase: phrase for phrase in PHRASES}


def test_the_published_folder_of_the_video_model_gives_the_same(backend, tmp_path):
    published = SAM3Backend()
    published.load(str(sam3(tmp_path / "facebook-sam3", video=True)), "cpu")
    volume, slice_ref = volume_of("landscape")
    ours, theirs = (asked(b, volume, slice_ref, *PHRASES) for b in (backend, published))
    assert len(ours.regions) == len(theirs.regions) > 2
    for a, b in zip(ours.regions, theirs.regions, strict=True):
        assert (a.phrase, a.score) == (b.phrase, b.score)
        assert_array_equal(a.box.corners(), b.box.corners())


def test_a_phrase_has_the_same_instances_alone_and_among_others(backend):
    volume, slice_ref = volume_of("square")
    together = asked(backend, volume, slice_ref, *PHRASES)
    alone = asked(backend, volume, slice_ref, PHRASES[1])
    assert [r.score for r in together.of(PHRASES[1])] == [r.score for r in alone.regions]


def test_only_the_best_instances_are_given_and_the_number_is_stated(folder):
    backend = SAM3Backend()
    backend.load(str(folder), "cpu")
    volume, slice_ref = volume_of("square")
    every = asked(backend, volume, slice_ref, "spleen").regions
    backend.most = 2
    few = asked(backend, volume, slice_ref, "spleen")
    assert [r.score for r in few.regions] == [r.score for r in every[:2]]
    assert "Of 'spleen' only the best 2 instances per slice are used." in few.notes


def test_a_phrase_below_the_threshold_is_not_found_and_its_best_score_is_stated(folder):
    backend = SAM3Backend()
    backend.load(str(folder), "cpu")
    backend.threshold = 1.0
    volume, slice_ref = volume_of("square")
    result = asked(backend, volume, slice_ref, "spleen")
    assert not result.regions
    _, scores, _ = by_hand(folder, np.array(picture(volume, slice_ref).pixels), "spleen")
    assert result.not_found[0].best_score == pytest.approx(scores[0], abs=1e-5)


def test_a_phrase_longer_than_the_text_encoder_reads_is_refused(backend):
    volume, slice_ref = volume_of("square")
    with pytest.raises(InvalidPrompt, match="tokens; the model reads 32"):
        asked(backend, volume, slice_ref, "left " * 40)


def test_masks_of_neighbouring_slices_are_one_object_that_begins_with_its_mask(backend):
    volume, _ = volume_of("square")
    backend.set_volume(volume)
    query = GroundQuery(("left kidney",), Scope(0, 1, 3))
    result = ground(backend, volume, query, lambda *_: None)
    deep = [r for r in result.regions if r.mask is not None and r.mask.crop.shape[0] == 2]
    assert deep
    objects = findings(result, volume, ()).objects
    assert [found.name for found in objects] == ["left kidney"]
    union = np.logical_or.reduce([r.mask.full() for r in result.regions if r.mask is not None])
    assert_array_equal(objects[0].prompt.mask(volume.grid).full(), union)
