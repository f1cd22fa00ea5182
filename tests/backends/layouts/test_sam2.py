"""Trackers under their authors' names are converted to the same models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers as hf

from napari_medvlm.backends.layouts.convert import convert
from napari_medvlm.backends.layouts.table import layout_of
from napari_medvlm.backends.sam.sam2 import SAM2Backend
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Point
from tests.backends.layouts.published_sam2 import (
    authors_weights,
    edgetam,
    published,
    sam2,
)
from tests.backends.sam.by_hand import asked, volume_of
from tests.backends.sam.tiny_sam2 import SIDE, saved, scattered

MODELS = {
    "sam2.1_hiera_tiny": (sam2, hf.Sam2VideoModel),
    "edgetam": (edgetam, hf.EdgeTamVideoModel),
}
OPTIONS = {"image_size": str(SIDE)}


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return scattered(MODELS[name][0]()).eval()


@pytest.fixture(scope="module")
def converted(name, model, tmp_path_factory):
    file = published(model, tmp_path_factory.mktemp("hub") / f"{name}.pt")
    return convert(file, options=OPTIONS).folder


def test_the_weights_are_those_of_the_library(name, model, converted):
    got = MODELS[name][1].from_pretrained(converted).state_dict()
    expected = model.state_dict()
    assert set(got) == set(expected)
    different = [key for key in got if not torch.equal(got[key], expected[key])]
    assert different == ["shared_image_embedding.positional_embedding"] or not different


def test_the_masks_are_those_of_the_original_through_the_backend(name, model, converted, tmp_path):
    with torch.no_grad():
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
    volume = volume_of("axial")
    masks = []
    for folder in (saved(model, tmp_path / "original"), converted):
        backend = SAM2Backend()
        backend.load(str(folder), "cpu")
        masks.append(asked(backend, volume, Point.at_index(volume, (5, 10, 12))).full())
    assert masks[0].any()
    assert np.array_equal(masks[0], masks[1])


def test_a_checkpoint_file_is_refused_with_the_command(model, tmp_path):
    file = published(model, tmp_path / "MedSAM2_latest.pt")
    with pytest.raises(BackendUnavailable, match=r"models convert .*MedSAM2_latest\.pt"):
        SAM2Backend().load(str(file), "cpu")


def test_medsam2_takes_images_of_512_pixels(tmp_path):
    file = published(sam2(), tmp_path / "MedSAM2_latest.pt")
    converted = convert(file)
    config = hf.AutoConfig.from_pretrained(converted.folder)
    assert config.image_size == 512
    assert config.vision_config.backbone_config.image_size == [512, 512]
    assert config.vision_config.backbone_feature_sizes == [[128, 128], [64, 64], [32, 32]]
    assert config.memory_attention_rope_feat_sizes == [32, 32]
    processor = hf.AutoProcessor.from_pretrained(converted.folder)
    assert processor.video_processor.size["height"] == 512
    assert converted.notes == ("Images are taken in 512 x 512 pixels.",)


def test_sam_2_of_the_first_version_has_no_time_in_its_pointers(tmp_path):
    weights = authors_weights(sam2())
    for key in ("obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias", "no_obj_embed_spatial"):
        del weights[key]
    torch.save({"model": weights}, tmp_path / "sam2_hiera_tiny.pt")
    config = hf.AutoConfig.from_pretrained(convert(tmp_path / "sam2_hiera_tiny.pt").folder)
    assert config.image_size == 1024
    assert not config.enable_temporal_pos_encoding_for_object_pointers
    assert not config.enable_occlusion_spatial_embedding


def test_a_trunk_of_no_published_size_is_refused(tmp_path):
    weights = authors_weights(sam2())
    short = {k: v for k, v in weights.items() if ".blocks.11." not in k}
    torch.save({"model": short}, tmp_path / "mine.pt")
    with pytest.raises(BackendUnavailable, match="stages of 1, 2, 7, 1 blocks"):
        convert(tmp_path / "mine.pt")


def test_a_checkpoint_of_the_first_sam_has_no_layout_to_convert(tmp_path):
    torch.save({"image_encoder.pos_embed": torch.zeros(1)}, tmp_path / "sam_vit_b.pth")
    assert layout_of(tmp_path / "sam_vit_b.pth") is None


def test_a_pickle_with_code_is_refused(tmp_path):
    weights = {**authors_weights(sam2()), "code": torch.nn.Linear(1, 1)}
    torch.save({"model": weights}, tmp_path / "MedSAM2_latest.pt")
    with pytest.raises(BackendUnavailable, match="its code is not run"):
        convert(tmp_path / "MedSAM2_latest.pt")
