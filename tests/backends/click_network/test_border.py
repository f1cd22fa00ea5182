"""The border of a proposal among the voxels of the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from napari_medvlm.backends.click_network.border import WIDTH, refined
from napari_medvlm.backends.click_network.crops import Crop, put
from tests.conftest import dice

SHAPE, CENTRE = (48, 48, 48), 23.5
CROP = Crop((CENTRE, CENTRE, CENTRE), 48.0, 12)
UNIT = (1.0, 1.0, 1.0)


def ball(radius, size=48, centre=CENTRE, step=1.0):
    zyx = np.ogrid[:size, :size, :size]
    return sum((step * (a + 0.5) - 0.5 - centre) ** 2 for a in zyx) <= radius**2


TRUTH = ball(12)
OFF = np.sqrt(sum((4 * (a - 5.5)) ** 2 for a in np.ogrid[:12, :12, :12]))
COARSE = np.clip(0.5 + (10 - OFF) / 8, 0.02, 0.98).astype(np.float32)
"""Probabilities of a ball whose radius is 2 mm too small, in voxels of 4 mm."""


def mask_in(image, probabilities=COARSE):
    mask = np.zeros(SHAPE, bool)
    box, part = refined(image, probabilities, CROP, UNIT)
    mask[box] = part
    return mask


def unrefined():
    box = CROP.box(SHAPE, UNIT)
    mask = np.zeros(SHAPE, bool)
    mask[box] = put(COARSE, CROP, box, UNIT) > 0.5
    return mask


@pytest.mark.parametrize("sign", [1, -1])
def test_a_coarse_mask_takes_the_border_that_the_intensities_have(sign):
    noise = np.random.default_rng(2).normal(0, 0.1, SHAPE)
    image = (sign * (TRUTH + noise)).astype(np.float32)
    assert dice(unrefined(), TRUTH) < 0.8
    assert dice(mask_in(image), TRUTH) > 0.99


def test_an_image_without_contrast_leaves_the_mask_as_the_network_has_it():
    np.testing.assert_array_equal(mask_in(np.full(SHAPE, 3, np.float32)), unrefined())


def test_no_voxel_beyond_the_band_changes():
    image = np.random.default_rng(4).normal(0, 1, SHAPE).astype(np.float32)
    plain = unrefined()
    depth = np.maximum(distance_transform_edt(plain), distance_transform_edt(~plain))
    changed = mask_in(image) != plain
    assert depth[changed].max() <= (WIDTH + 1) * CROP.step_mm


@pytest.mark.parametrize("probability", [0.0, 0.9])
def test_an_empty_mask_and_one_that_fills_the_crop_stay_so(probability):
    mask = mask_in(TRUTH.astype(np.float32), np.full((12, 12, 12), probability, np.float32))
    assert mask.all() if probability else not mask.any()
