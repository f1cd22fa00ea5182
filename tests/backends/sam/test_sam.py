"""Masks and scores are those of the library's own predictor, at their place in the patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_medvlm.backends.conformance.segment import CHECKS
from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.propagation import StopRule
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Point, Scribble
from napari_medvlm.data.volume import Volume
from tests.backends.sam import tiny_sam
from tests.backends.sam.by_hand import AXES, NAMES, SHAPE, ByHand, asked, of_slice, volume_of

torch.set_num_threads(1)
NEVER_ON = StopRule(score=np.inf)
"""Only what was prompted is found."""
ALWAYS_ON = StopRule(score=-np.inf, overlap=0)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_sam.checkpoint(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def lifted(tmp_path_factory):
    return tiny_sam.checkpoint(tmp_path_factory.mktemp("lifted"), lift=5)


@pytest.fixture
def backend(path):
    new_backend = SAMBackend()
    new_backend.load(str(path), "cpu")
    new_backend.stop = NEVER_ON
    return new_backend


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check, lifted):
    check(SAMBackend, str(lifted))


@pytest.mark.parametrize("name", NAMES)
def test_one_click_gives_the_predictors_best_mask_and_its_score(backend, path, name):
    volume, at = volume_of(name), of_slice(name, 4, (5, 12, 9))
    mask = asked(backend, volume, Point.at_index(volume, at))
    reference = ByHand(path, volume, AXES[name], 4)
    masks, scores, _ = reference.predictor.predict(np.array([reference.pixel(at)]), np.array([1]))
    best = int(np.argmax(scores))
    assert mask.voxels
    assert np.array_equal(mask.full(), reference.voxels(masks[best]))
    assert mask.slice_scores == {(AXES[name], 4): float(scores[best])}
    assert mask.score == min(float(scores[best]), 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_box_with_clicks_gives_the_predictors_one_mask(backend, path, name):
    volume, axis = volume_of(name), AXES[name]
    start, stop = of_slice(name, 4, (2, 3, 5)), of_slice(name, 5, (8, 15, 19))
    yes, no = of_slice(name, 4, (5, 12, 9)), of_slice(name, 4, (7, 4, 18))
    mask = asked(
        backend, volume, Box.at_index(volume, start, stop), Point.at_index(volume, yes),
        Point.at_index(volume, no, positive=False),
    )  # fmt: skip
    reference = ByHand(path, volume, axis, 4)
    masks, scores, _ = reference.predictor.predict(
        np.array([reference.pixel(yes), reference.pixel(no)]), np.array([1, 0]),
        reference.box(start, stop),
        multimask_output=False,
    )  # fmt: skip
    assert mask.voxels
    assert np.array_equal(mask.full(), reference.voxels(masks[0]))
    assert mask.slice_scores == {(axis, 4): float(scores[0])}


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_to_start_from_is_the_predictors_mask_input(backend, path, name):
    volume, axis = volume_of(name), AXES[name]
    before = np.zeros(SHAPE, bool)
    before[2:8, 4:14, 4:17] = True
    at = of_slice(name, 5, (4, 17, 3))
    mask = asked(backend, volume, InitialMask.of(volume, before), Point.at_index(volume, at))
    reference = ByHand(path, volume, axis, 5)
    masks, _, _ = reference.predictor.predict(
        np.array([reference.pixel(at)]), np.array([1]),
        mask_input=reference.logits(reference.area(before)),
        multimask_output=False,
    )  # fmt: skip
    expected = before.copy()
    np.moveaxis(expected, axis, 0)[5] = False
    assert np.array_equal(mask.full(), expected | reference.voxels(masks[0]))


@pytest.mark.parametrize("name", NAMES)
def test_a_lasso_is_a_mask_input_and_its_box(backend, path, name):
    volume, axis = volume_of(name), AXES[name]
    low, high = of_slice(name, 4, (2, 5, 6)), of_slice(name, 4, (7, 15, 18))
    others = [a for a in range(3) if a != axis]
    corners = [list(low) for _ in range(4)]
    for corner, ends in zip(corners, ((0, 0), (0, 1), (1, 1), (1, 0)), strict=True):
        for a, end in zip(others, ends, strict=True):
            corner[a] = (low, high)[end][a]
    lasso = Lasso.at_index(volume, corners)
    mask = asked(backend, volume, lasso)
    reference = ByHand(path, volume, axis, 4)
    inside = np.zeros(SHAPE, bool)
    inside[tuple(lasso.voxels(volume.grid).T)] = True
    area = reference.area(inside)
    rows, columns = np.nonzero(area)
    box = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    masks, _, _ = reference.predictor.predict(
        box=box, mask_input=reference.logits(area), multimask_output=False
    )
    assert np.array_equal(mask.full(), reference.voxels(masks[0]))


def test_a_stroke_is_eight_points_along_it(backend, path):
    volume = volume_of("axial")
    line = [(4, 10, x) for x in range(2, 22)]
    mask = asked(backend, volume, Scribble.at_index(volume, line))
    reference = ByHand(path, volume, 0, 4)
    along = np.round(np.linspace(0, 19, 8)).astype(int)
    points = np.array([reference.pixel(line[k]) for k in along])
    masks, _, _ = reference.predictor.predict(points, np.ones(8), multimask_output=False)
    assert np.array_equal(mask.full(), reference.voxels(masks[0]))


def test_what_is_outlined_as_not_the_object_is_cut_out(backend):
    volume = volume_of("axial")
    box = Box.at_index(volume, (4, 2, 2), (5, 18, 22))
    full = asked(backend, volume, box).full()
    not_it = Box.at_index(volume, (4, 2, 2), (5, 10, 22), positive=False)
    cut = asked(backend, volume, box, not_it).full()
    assert full[4, 2:10, 2:22].any()
    assert not cut[4, 2:10, 2:22].any()


def test_single_clicks_on_two_slices_mean_the_same_of_the_three_masks(backend, path):
    volume = volume_of("axial")
    clicks = [(1, 12, 9), (7, 5, 16)]
    mask = asked(backend, volume, *(Point.at_index(volume, at) for at in clicks))
    hands = [ByHand(path, volume, 0, at[0]) for at in clicks]
    offers = [
        reference.predictor.predict(np.array([reference.pixel(at)]), np.array([1]))
        for reference, at in zip(hands, clicks, strict=True)
    ]
    best = int(np.argmax(sum(scores for _, scores, _ in offers)))
    for reference, at, (masks, _, _) in zip(hands, clicks, offers, strict=True):
        assert np.array_equal(mask.full()[at[0]], reference.voxels(masks[best])[at[0]])


def test_a_mask_is_carried_on_as_mask_input_and_box(backend, path):
    volume, at = volume_of("axial"), (4, 12, 9)
    backend.stop = ALWAYS_ON
    result = asked(backend, volume, Point.at_index(volume, at))
    mask, reference = result.full(), ByHand(path, volume, 0, 4)
    masks, scores, _ = reference.predictor.predict(np.array([reference.pixel(at)]), np.array([1]))
    before = masks[int(np.argmax(scores))]
    for index in (5, 6):
        reference = ByHand(path, volume, 0, index)
        rows, columns = np.nonzero(before)
        box = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
        masks, scores, _ = reference.predictor.predict(
            box=box, mask_input=reference.logits(before), multimask_output=False
        )
        before = masks[0]
        assert np.array_equal(mask[index], reference.voxels(before)[index])
        assert result.slice_scores[0, index] == float(scores[0])


def test_negative_click_corrects_its_own_slice(backend):
    volume = volume_of("axial")
    backend.stop = ALWAYS_ON
    yes = Point.at_index(volume, (4, 12, 9))
    before = asked(backend, volume, yes).full()
    after = asked(backend, volume, yes, Point.at_index(volume, (6, 5, 5), positive=False)).full()
    assert np.array_equal(before[:6], after[:6])
    assert not np.array_equal(before[6], after[6])


def test_a_box_with_depth_ends_at_its_ends(backend):
    volume = volume_of("axial")
    backend.stop = ALWAYS_ON
    mask = asked(backend, volume, Box.at_index(volume, (2, 3, 3), (7, 17, 20)))
    assert {index for _, index in mask.slice_scores} <= set(range(2, 7))
    assert (0, 4) in mask.slice_scores


def test_a_picture_in_colour_is_shown_as_it_is(backend, path):
    volume = Volume(tiny_sam.picture()[None])
    mask = asked(backend, volume, Point.at_index(volume, (0, 20, 30)))
    reference = ByHand(path, volume, 0, 0)
    assert np.array_equal(reference.shown.pixels, volume.data[0])
    masks, scores, _ = reference.predictor.predict(np.array([[30, 20]]), np.array([1]))
    assert np.array_equal(mask.full()[0], masks[int(np.argmax(scores))])


def test_negative_click_outside_the_initial_mask_leaves_it_unchanged(backend):
    volume, before = volume_of("axial"), np.zeros(SHAPE, bool)
    before[2:5, 4:14, 4:17] = True
    no = Point.at_index(volume, (8, 5, 5), positive=False)
    assert np.array_equal(asked(backend, volume, InitialMask.of(volume, before), no).full(), before)


def test_another_error_of_the_library_is_let_through(backend, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes differ")

    volume = volume_of("axial")
    monkeypatch.setattr(backend._model, "embed", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        asked(backend, volume, Point.at_index(volume, (4, 12, 9)))


def test_a_device_that_is_not_there_is_reported(path):
    with pytest.raises(BackendUnavailable, match="cuda:7"):
        SAMBackend().load(str(path), "cuda:7")
