"""Simulated users."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_medvlm.backends.click_network.gestures import Box, Line, Point
from training import exact_user
from training.fields import Draw
from training.generator import generate
from training.prompts import Prompts
from training.user import BEGINNINGS, begin, correct, deepest


def two_errors():
    """A missed cube of 7 voxels and a wrongly included cube of 3."""
    truth, mask = np.zeros((2, 24, 24, 24), bool)
    truth[2:9, 3:10, 4:11] = True
    mask[15:18, 15:18, 15:18] = True
    return truth, mask


def test_the_training_user_clicks_in_the_largest_error():
    truth, mask = (torch.from_numpy(a)[None] for a in two_errors())
    image = torch.zeros(truth.shape)
    for seed in range(10):
        prompts = Prompts.none(image)
        correct(Draw(seed), image, truth, mask, prompts)
        assert prompts.positive.sum() == 1
        assert not prompts.negative.any()
        assert (prompts.positive & truth).any()
    prompts = Prompts.none(image)
    correct(Draw(0), image, mask, truth, prompts)
    assert (prompts.negative & truth).any()


def test_the_deepest_voxel_of_a_cube_is_its_centre():
    truth = torch.from_numpy(two_errors()[0])[None]
    assert np.unravel_index(int(deepest(truth)), (24, 24, 24)) == (5, 6, 7)


def test_a_mask_without_errors_gets_no_click():
    truth = torch.from_numpy(two_errors()[0])[None]
    prompts = Prompts.none(torch.zeros(truth.shape))
    correct(Draw(0), torch.zeros(truth.shape), truth, truth, prompts)
    assert not prompts.positive.any()
    assert not prompts.negative.any()
    assert prompts.references.isnan().all()


@pytest.mark.parametrize("seed", range(6))
def test_each_dialogue_begins_with_one_kind_of_prompt_on_the_target(seed):
    sample = generate(Draw(seed), 12, 16)
    prompts = begin(Draw(seed), sample.images, sample.targets)
    kinds = torch.stack(
        [m.flatten(1).any(1) for m in (prompts.positive, prompts.line, prompts.box)]
    )
    valid = sample.targets.flatten(1).any(1)
    assert (kinds.sum(0)[valid] == 1).all()
    on_target = (prompts.positive & ~sample.targets).flatten(1).any(1)
    assert not on_target[valid].any()
    assert prompts.references[0][valid].isfinite().all()


def test_a_first_point_can_be_drawn_from_all_voxels_of_the_target():
    target = torch.zeros(1, 16, 16, 16, dtype=torch.bool)
    target[0, 2:14, 2:14, 2:14] = True
    border = target.clone()
    border[0, 4:12, 4:12, 4:12] = False  # 70 % of the voxels
    image = torch.zeros(target.shape)

    def share(anywhere: float) -> float:
        starts = [begin(Draw(s), image, target, anywhere).positive for s in range(80)]
        points = [p for p in starts if p.sum() == 1]
        return sum(bool((p & border).any()) for p in points) / len(points)

    assert share(1.0) > 0.45
    assert share(0.0) < 0.3


def test_the_kinds_of_first_prompts_are_drawn_with_their_probabilities():
    assert sum(BEGINNINGS.values()) == pytest.approx(1)


def test_the_user_of_the_evaluation_clicks_in_the_centre_of_the_largest_error():
    truth, mask = two_errors()
    assert exact_user.next_point(truth, mask, (1, 1, 1)) == Point((5, 6, 7), True)
    assert exact_user.next_point(mask, truth, (1, 1, 1)) == Point((5, 6, 7), False)
    assert exact_user.next_point(truth, truth, (1, 1, 1)) is None


def test_missed_and_excess_voxels_that_touch_are_separate_errors():
    truth, mask = np.zeros((2, 8, 8, 20), bool)
    truth[2:6, 2:6, 2:8] = True
    mask[2:6, 2:6, 8:16] = True
    point = exact_user.next_point(truth, mask, (1, 1, 1))
    assert not point.positive
    assert mask[point.zyx]


def test_lines_and_boxes_of_the_evaluation_span_the_largest_slice():
    truth = np.zeros((6, 20, 20), bool)
    truth[2, 5:8, 4:15] = True
    truth[3, 5:6, 4:6] = True
    assert exact_user.box_2d(truth) == Box((2, 5, 4), (3, 8, 15))
    assert exact_user.box_3d(truth) == Box((2, 5, 4), (4, 8, 15))
    line = exact_user.diameter(truth, (3.0, 1.0, 1.0))
    assert line == Line((2, 5, 4), (2, 7, 14))


def test_a_first_point_outside_lies_within_two_voxels_of_the_target():
    truth = torch.from_numpy(two_errors()[0])[None].repeat(12, 1, 1, 1)
    outside = 0
    for seed in range(4):
        prompts = begin(Draw(seed), torch.zeros(truth.shape), truth, 0.4, outside=1.0)
        points = prompts.positive & (prompts.positive.flatten(1).sum(1) == 1)[:, None, None, None]
        missed = points & ~truth
        outside += int(missed.sum())
        assert not missed[:, :, :1].any(), "the cube begins at 3 along the second axis"
        for _, z, y, x in missed.nonzero().tolist():
            assert 0 <= z <= 10
            assert 1 <= y <= 11
            assert 2 <= x <= 12
    assert outside > 10
