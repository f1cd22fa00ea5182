"""Masks of the network and of the embedded method compete for the prompts."""

import numpy as np
import pytest
from scipy import ndimage

import napari_medvlm as nmv
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.click_network.backend import ClickNetworkBackend
from napari_medvlm.backends.click_network.candidates import (
    NETWORK,
    QUALITY,
    REGIONS,
    Candidate,
    best_of,
    overlaps,
    values,
)
from napari_medvlm.backends.click_network.constraints import LEAST_MM, REACH, corrected
from napari_medvlm.backends.click_network.gestures import Point
from napari_medvlm.backends.embedded import EmbeddedBackend
from tests.conftest import dice, make_phantom

VOLUME, LEFT, _ = make_phantom()
CENTER = tuple(int(i) for i in np.argwhere(LEFT).mean(axis=0).round())


def backend_of(kind, volume=VOLUME):
    backend = kind()
    backend.load(None, "cpu")
    backend.set_volume(volume)
    return backend


@pytest.fixture(scope="module")
def joined():
    return backend_of(ClickNetworkBackend)


def ask(backend, *prompts):
    return backend.segment(ObjectPrompts(tuple(prompts)), lambda *_: None)


def cube(start, stop):
    mask = np.zeros((6, 6, 6), bool)
    mask[start:stop, start:stop, start:stop] = True
    return mask


def test_the_overlap_of_masks_is_their_dice():
    small, large, empty = cube(1, 3), cube(1, 5), cube(0, 0)
    expected = 2 * 8 / (8 + 64)
    pairs = [[1, expected, 0], [expected, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(overlaps([small, large, empty]), pairs)


def test_the_mask_that_both_sources_agree_with_is_worth_most():
    masks = [cube(0, 6), cube(1, 5), cube(1, 4), cube(2, 4)]
    network = [False, False, True, True]
    candidates = [Candidate(m, 0.5, 1.0, n) for m, n in zip(masks, network, strict=True)]
    agreement = overlaps(masks)
    parts = (
        (QUALITY, 0.5),
        (NETWORK, agreement[:, 2:].mean(1)),
        (REGIONS, agreement[:, :2].mean(1)),
    )
    np.testing.assert_allclose(values(candidates), sum(w * v for w, v in parts))
    assert best_of(candidates) == 2
    assert best_of(candidates, margin=1.0) == 0


def test_a_click_finds_the_ellipsoid(joined):
    assert dice(ask(joined, nmv.Point.at_index(VOLUME, CENTER)).full(), LEFT) > 0.85


@pytest.mark.parametrize("kind", ["box", "flat box", "line"])
def test_boxes_and_lines_alone_are_left_to_the_embedded_method(joined, kind):
    low, high = np.argwhere(LEFT).min(axis=0), np.argwhere(LEFT).max(axis=0) + 1
    z, _, x = CENTER
    prompt = {
        "box": nmv.Box.at_index(VOLUME, low, high),
        "flat box": nmv.Box.at_index(VOLUME, (z, *low[1:]), (z + 1, *high[1:])),
        "line": nmv.Line.at_index(VOLUME, (z, low[1], x), (z, high[1] - 1, x)),
    }[kind]
    embedded = backend_of(EmbeddedBackend)
    assert ask(joined, prompt).digest == ask(embedded, prompt).digest


def test_a_click_just_outside_an_object_is_left_to_the_embedded_method():
    z, _, x = CENTER
    outside = (z, int(np.flatnonzero(LEFT[z, :, x])[0]) - 1, x)
    point = nmv.Point.at_index(VOLUME, outside)
    masks = [ask(backend_of(kind), point) for kind in (ClickNetworkBackend, EmbeddedBackend)]
    assert masks[0].digest == masks[1].digest


def test_a_picture_of_a_single_slice_is_left_to_the_embedded_method():
    picture = nmv.Volume(np.asarray(VOLUME.data)[CENTER[0]][None], VOLUME.affine)
    point = nmv.Point.at_index(picture, (0, *CENTER[1:]))
    masks = [
        ask(backend_of(kind, picture), point) for kind in (ClickNetworkBackend, EmbeddedBackend)
    ]
    assert masks[0].digest == masks[1].digest


def test_steps_of_size_are_larger_extents_that_hold_the_point(joined):
    first = nmv.Point.at_index(VOLUME, CENTER)
    steps = (-1, 0, 1)
    masks = [ask(joined, first.model_copy(update={"size_step": step})) for step in steps]
    sizes = [mask.voxels for mask in masks]
    assert sizes == sorted(set(sizes)), sizes
    assert all(mask.full()[CENTER] for mask in masks)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_correction_changes_what_is_near_and_connected_and_nothing_else(positive, seed):
    rng = np.random.default_rng(seed)
    spacing = (2.5, 0.8, 1.0)
    before = ndimage.gaussian_filter(rng.normal(size=(20, 24, 22)), 2) > 0
    after = ndimage.gaussian_filter(rng.normal(size=before.shape), 2) > 0
    depth = ndimage.distance_transform_edt(before != positive, sampling=spacing)
    at = tuple(int(i) for i in np.unravel_index(depth.argmax(), depth.shape))
    change = (after & ~before) if positive else (before & ~after)
    away = np.ones(before.shape, bool)
    away[at] = False
    distance = ndimage.distance_transform_edt(away, sampling=spacing)
    change &= distance <= max(REACH * depth[at], LEAST_MM) + 1e-9
    change[at] = True
    labels, _ = ndimage.label(change, np.ones((3, 3, 3)))
    part = labels == labels[at]
    expected = (before | part) if positive else (before & ~part)
    np.testing.assert_array_equal(corrected(before, after, Point(at, positive), spacing), expected)
