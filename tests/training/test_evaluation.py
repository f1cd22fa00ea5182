"""Crops, proposals and the evaluation command."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from napari_medvlm.backends.click_network.channels import voxels_of
from napari_medvlm.backends.click_network.choice import surface_contrast
from napari_medvlm.backends.click_network.crops import Crop, put, take, transfer
from napari_medvlm.backends.click_network.gestures import Box, Line, Point
from napari_medvlm.backends.click_network.segmenter import Segmenter
from training.cases import read_cases
from training.checkpoint import State
from training.evaluate import main
from training.exact_user import dice
from training.phantoms import FIRST_SEED, KINDS, lung_nodule
from training.prompts import CHANNELS

SPACING = (3.0, 1.0, 1.0)


def sphere():
    """A bright sphere of 9 mm radius, 3 x 1 x 1 mm, its mask, its centre."""
    z, y, x = np.indices((20, 60, 60))
    truth = ((z - 10) * 3) ** 2 + (y - 30) ** 2 + (x - 28) ** 2 <= 81
    return (100.0 * truth).astype(np.float32), truth, (10, 30, 28)


def by_likeness(channels):
    """In place of a network: what has the intensity of the positive prompts."""
    like = channels[:, CHANNELS.index("like_positive")]
    return (like - 0.5) * 20, np.zeros(len(channels), np.float32)


def test_a_crop_of_a_linear_ramp_has_the_ramps_values():
    z, y, x = np.indices((20, 60, 60)).astype(np.float32)
    ramp = 3 * z + y - 2 * x
    crop = Crop((28.5, 30.0, 25.0), 16.0, 16)
    values = take(ramp, SPACING, crop)
    a, b, c = np.meshgrid(*(crop.positions(axis) for axis in range(3)), indexing="ij")
    assert values == pytest.approx(a + b - 2 * c, abs=1e-3)


def test_a_mask_survives_the_way_to_a_crop_and_back():
    image, truth, _ = sphere()
    crop = Crop((30.0, 30.0, 28.0), 40.0, 48)
    box = crop.box(truth.shape, SPACING)
    back = put(take(image, SPACING, crop), crop, box, SPACING) > 50
    mask = np.zeros_like(truth)
    mask[box] = back
    assert dice(mask, truth) > 0.95


def test_a_crop_beyond_the_image_is_filled_with_its_minimum():
    image = np.full((4, 8, 8), 7.0, np.float32)
    image[0, 0, 0] = 3
    values = take(image, (1.0, 1.0, 1.0), Crop((2.0, 4.0, 4.0), 32.0, 16))
    assert values.shape == (16, 16, 16)
    assert values[-1, -1, -1] == 3


def test_values_move_between_crops_and_are_zero_outside_the_source():
    small, large = Crop((0.0, 0.0, 0.0), 16.0, 16), Crop((0.0, 0.0, 0.0), 32.0, 16)
    moved = transfer(np.ones((16, 16, 16), np.float32), small, large)
    assert moved[8, 8, 8] == pytest.approx(1)
    assert moved[0, 0, 0] == 0
    assert moved.sum() * 8 == pytest.approx(16**3, rel=0.3)


def test_prompts_lie_at_their_millimetres_in_a_crop():
    crop = Crop((30.0, 30.0, 28.0), 32.0, 32)
    assert np.argwhere(voxels_of(Point((10, 30, 28)), crop, SPACING)).tolist() == [[16, 16, 16]]
    box = voxels_of(Box((10, 20, 18), (11, 40, 38)), crop, SPACING)
    assert box.any((1, 2)).sum() == 1
    assert box.any((0, 1)).sum() == 20
    line = np.argwhere(voxels_of(Line((10, 30, 20), (10, 30, 36)), crop, SPACING))
    assert line[:, 2].min() == 8
    assert line[:, 2].max() == 24


@pytest.mark.parametrize(
    "gesture",
    [Point((10, 30, 28)), Line((10, 30, 20), (10, 30, 36)), Box((7, 21, 19), (14, 40, 38))],
)
def test_a_segmenter_returns_the_sphere_that_a_prompt_marks(gesture):
    image, truth, _ = sphere()
    mask = Segmenter(image, SPACING, by_likeness, voxels=32).segment([gesture])
    assert dice(mask, truth) > 0.8


@pytest.mark.parametrize("local", [False, True])
def test_points_are_hard_constraints_and_a_replay_gives_the_same_mask(local):
    image, _, centre = sphere()
    gestures = [Point(centre), Point((10, 30, 34), False), Point((10, 30, 45), True)]

    def last_mask():
        segmenter = Segmenter(image, SPACING, by_likeness, local=local)
        return [segmenter.segment(gestures[: k + 1]) for k in range(3)][-1]

    mask = last_mask()
    for gesture in gestures:
        assert mask[gesture.zyx] == gesture.positive
    assert np.array_equal(mask, last_mask())


def test_phantoms_follow_their_seed_and_have_one_structure():
    first, again = lung_nodule(FIRST_SEED), lung_nodule(FIRST_SEED)
    assert np.array_equal(first.image, again.image)
    for k, make in enumerate(KINDS):
        case = make(FIRST_SEED + k)
        volume = case.truth.sum() * np.prod(case.spacing)
        assert 100 < volume < 300_000
        assert case.image.shape == case.truth.shape


def test_cases_are_read_with_their_spacing_and_a_folder_without_any_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no NAME_image"):
        read_cases(tmp_path)
    image, truth, _ = sphere()
    for kind, data in (("image", image), ("label", truth.astype(np.uint8))):
        written = sitk.GetImageFromArray(data)
        written.SetSpacing(SPACING[::-1])
        sitk.WriteImage(written, str(tmp_path / f"ball_{kind}.nrrd"))
    (case,) = read_cases(tmp_path)
    assert case.name == "ball"
    assert case.spacing == SPACING
    assert np.array_equal(case.truth, truth)


def test_the_command_prints_a_row_per_case_with_mean_and_worst(tiny, tmp_path, capsys):
    image, truth, _ = sphere()
    for kind, data in (("image", image), ("label", truth.astype(np.uint8))):
        sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / f"ball_{kind}.nrrd"))
    State.start(tiny).save(tmp_path / "state.safetensors")
    main([str(tmp_path / "state.safetensors"), "--cases", str(tmp_path), "--crop", "16"])
    out = capsys.readouterr().out
    assert "| ball |" in out
    assert "| **worst** |" in out


def test_the_contrast_at_a_surface_is_largest_for_the_true_mask():
    z, y, x = np.indices((24, 24, 24)) - 12
    distance = np.sqrt(z**2 + y**2 + x**2)
    noise = np.random.default_rng(0).normal(0, 0.3, distance.shape)
    image = ((distance < 7) + noise).astype(np.float32)
    contrasts = [surface_contrast(image, distance < radius) for radius in (3, 5, 7, 9, 11)]
    assert int(np.argmax(contrasts)) == 2
    assert surface_contrast(image, np.zeros_like(distance, bool)) == 0


def test_a_mask_stays_inside_a_box():
    image, truth, _ = sphere()
    box = Box((9, 25, 24), (12, 35, 32))
    mask = Segmenter(image, SPACING, by_likeness).segment([box])
    assert mask.any()
    assert not mask[:9].any()
    assert not mask[:, :25].any()
    assert not mask[:, :, 32:].any()
