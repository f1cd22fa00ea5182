"""Operations on parts of an image give what the plain ones give on all of it."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.backends.embedded.segmentation.border import local_cuts
from napari_medvlm.backends.embedded.segmentation.diffusion import denoised
from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import components_of, filled
from napari_medvlm.backends.embedded.segmentation.pyramid import Level, block_mean
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume


def blobs(shape, seed=0, sigma=2.0):
    noise = np.random.default_rng(seed).random(shape)
    return ndimage.gaussian_filter(noise, sigma) > 0.5


@pytest.mark.parametrize("margin", [0, 3, 20])
def test_the_components_of_points_are_those_of_the_whole_array(margin):
    allowed = blobs((40, 70, 60))
    points = np.argwhere(allowed)[[5, 20000]]
    labels, _ = ndimage.label(allowed)
    wanted = np.isin(labels, labels[tuple(points.T)])
    assert np.array_equal(components_of(allowed, points, margin), wanted)


def test_no_points_have_no_components():
    assert not components_of(np.ones((4, 4, 4), bool), np.zeros((0, 3), int)).any()


def test_block_means_are_the_means_of_blocks_and_of_what_is_left_at_the_end():
    data = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 3, 2), np.float32)
    means = block_mean(data, (3, 2, 1))
    assert means.dtype == np.float32
    assert means[:, 0, 0].tolist() == [1.0, 4.0, 6.0]
    assert means.shape == (3, 2, 2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.8, 1.1)])
def test_diffusion_along_edges_equals_that_of_itk(spacing):
    noise = np.random.default_rng(1).normal(0, 0.08, (12, 30, 28))
    data = (0.5 * blobs(noise.shape) + noise).astype(np.float32)
    image = sitk.GetImageFromArray(data)
    image.SetSpacing([s / min(spacing) for s in spacing[::-1]])
    wanted = sitk.GetArrayFromImage(
        sitk.CurvatureAnisotropicDiffusion(
            image, timeStep=0.06, conductanceParameter=3.0, numberOfIterations=10
        )
    )
    result = denoised(data, spacing)
    assert np.abs(wanted - data).max() > 0.1
    np.testing.assert_allclose(result, wanted, atol=1e-4)


def test_diffusion_leaves_an_even_image_as_it_is():
    data = np.full((4, 5, 6), 0.25, np.float32)
    np.testing.assert_array_equal(denoised(data, (1.0, 1.0, 1.0)), data)


def test_holes_are_filled_on_each_slice():
    mask = blobs((12, 60, 60), 2)
    wanted = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    assert np.array_equal(filled(mask), wanted)


def test_cuts_near_a_mask_are_those_of_the_whole_image():
    shape = (120, 130, 24)
    values = (blobs(shape, 3) + np.linspace(0, 0.5, shape[0])[:, None, None]).astype(np.float32)
    mask = np.zeros(shape, bool)
    mask[8:20, 8:22, 4:14] = values[8:20, 8:22, 4:14] > 0.7
    box = tuple(slice(0, n) for n in shape)
    level = Level(values, np.zeros_like(values), (1, 1, 1), box, (1.0, 1.0, 1.0))
    near = local_cuts(level, mask, Cuts(0.6, 1.2))
    everywhere = local_cuts(level, mask | _far_corner(mask), Cuts(0.6, 1.2))
    assert near.low.shape == shape
    assert (near.low[70:] == np.float32(0.6)).all()
    np.testing.assert_allclose(near.low[:50, :50], everywhere.low[:50, :50], atol=0.02)


def _far_corner(mask):
    corner = np.zeros_like(mask)
    corner[-1, -1, -1] = True
    return corner


def test_a_correction_gives_the_same_mask_with_and_without_the_cache():
    z, y, x = np.ogrid[:40, :90, :90]
    ball = (z - 20) ** 2 + (y - 45) ** 2 + (x - 45) ** 2 < 15**2
    noise = np.random.default_rng(4).normal(0, 10, ball.shape)
    volume = Volume((100 + 80 * ball + noise).astype(np.int16), np.eye(4))
    places = [((20, 45, 45), True), ((20, 45, 58), False), ((20, 45, 30), True),
              ((30, 45, 45), False), ((20, 33, 45), False), ((14, 45, 45), False)]  # fmt: skip
    points = tuple(Point.at_index(volume, zyx, positive) for zyx, positive in places)
    slow, quick = EmbeddedBackend(), EmbeddedBackend()
    for backend in (slow, quick):
        backend.load(None, "cpu")
        backend.set_volume(volume)
    for count in range(1, len(points) + 1):
        last = quick.segment(ObjectPrompts(points[:count]), lambda *_: None)
    assert slow.segment(ObjectPrompts(points), lambda *_: None).digest == last.digest
