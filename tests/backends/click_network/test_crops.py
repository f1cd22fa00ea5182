"""A mask of a crop on the grid of an image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_medvlm.backends.click_network.constraints import connected
from napari_medvlm.backends.click_network.crops import Crop, box_above, put
from napari_medvlm.backends.click_network.gestures import Box, Line, Point


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (6.5, 0.8, 0.8), (0.5, 3.0, 0.5)])
@pytest.mark.parametrize("edge", [12.0, 40.0, 120.0])
def test_no_value_above_the_limit_lies_outside_of_the_box(spacing, edge):
    rng = np.random.default_rng(3)
    values = gaussian_filter(rng.normal(size=(16, 16, 16)), 1.5).astype(np.float32)
    values = (values / values.max()).clip(0, 1)
    values[6:9, 7:10, 6:9] = 1
    shape = (20, 40, 50)
    centre = tuple(float(n * s * 0.45) for n, s in zip(shape, spacing, strict=True))
    crop = Crop(centre, edge, 16)
    everywhere, boxed = (np.zeros(shape, bool) for _ in range(2))
    whole, box = crop.box(shape, spacing), box_above(values, 0.5, crop, shape, spacing)
    everywhere[whole] = put(values, crop, whole, spacing) > 0.5
    boxed[box] = put(values, crop, box, spacing) > 0.5
    assert everywhere.any()
    np.testing.assert_array_equal(boxed, everywhere)


def test_the_box_of_a_crop_without_such_a_value_is_empty():
    crop = Crop((5.0, 5.0, 5.0), 8.0, 8)
    box = box_above(np.full((8, 8, 8), 0.5, np.float32), 0.5, crop, (10, 10, 10), (1.0, 1.0, 1.0))
    assert np.zeros((10, 10, 10))[box].size == 0


def test_a_prompt_keeps_the_components_that_it_touches():
    mask = np.zeros((8, 20, 20), bool)
    mask[2:4, 2:6, 2:6] = mask[4:6, 10:15, 10:15] = True
    first, second = mask.copy(), mask.copy()
    first[4:], second[:4] = False, False
    for gesture, wanted in (
        (Point((2, 3, 3), True), first),
        (Line((5, 9, 9), (5, 16, 16)), second),
        (Box((1, 0, 0), (3, 20, 20)), first),
        (Box((0, 0, 0), (8, 20, 20)), mask),
        (Point((0, 0, 0), True), mask),
    ):
        np.testing.assert_array_equal(connected(mask.copy(), [gesture]), wanted)
