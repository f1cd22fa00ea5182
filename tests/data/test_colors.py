"""Colours of objects, as scikit-image measures their differences."""

import numpy as np
from numpy.testing import assert_allclose
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_medvlm.data.colors import COUNT, color_of, to_lab


def rgb_of(ids):
    return np.array([[int(color_of(i)[k : k + 2], 16) / 255 for k in (1, 3, 5)] for i in ids])


def test_lab_is_that_of_scikit_image():
    rgb = np.random.default_rng(0).random((50, 3))
    assert_allclose(to_lab(rgb), rgb2lab(rgb), atol=0.02)


def test_sixty_objects_have_colours_that_can_be_distinguished():
    lab = rgb2lab(rgb_of(range(1, 61)))
    differences = deltaE_ciede2000(lab[:, None], lab[None]) + 1000 * np.eye(60)
    assert differences.min() > 5  # 2.3 is just noticeable


def test_all_labels_of_eight_bits_have_colours_of_their_own():
    assert len({color_of(i) for i in range(1, COUNT + 1)}) == COUNT
    assert color_of(COUNT + 1) == color_of(1)
