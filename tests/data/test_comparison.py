"""Checkerboard and subtraction of two studies, by hand on small arrays."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.data.geometry.comparison import Checkerboard, Subtraction, intensity_match

CURRENT = np.full((4, 4, 4), 50.0)
PRIOR = np.full((4, 4, 4), 10.0)


def test_fields_show_both_in_turn_each_in_its_own_window():
    board = Checkerboard(CURRENT, PRIOR, (0, 100), (0, 40), (4, 2, 2))
    row = [0.5, 0.5, 0.25, 0.25]  # 50 of 0..100, then 10 of 0..40
    assert_array_equal(board[0], [row, row, row[::-1], row[::-1]])
    assert_array_equal(board[:, 0, 3], [0.25] * 4)
    assert_array_equal(np.asarray(board)[1], board[1, :, :])
    assert board.shape == (4, 4, 4)


def test_a_slice_in_another_direction_has_the_same_fields():
    board = Checkerboard(CURRENT, PRIOR, (0, 100), (0, 40), (1, 2, 3))
    full = board[:, :, :]
    assert_array_equal(board[:, 2, :], full[:, 2, :])
    assert_array_equal(board[:, :, 3], full[:, :, 3])
    assert_array_equal(board[1:3, ::2, 3], full[1:3, ::2, 3])


def test_differences_below_the_threshold_are_zero():
    current = np.array([[[0.0, 5, -5, 12, -30]]])
    difference = Subtraction(current, np.zeros((1, 1, 5)), 1.0, 0.0, 10.0)
    assert_array_equal(difference[0, 0], [0, 0, 0, 12, -30])
    difference.threshold = 2.0
    assert_array_equal(difference[0, 0], [0, 5, -5, 12, -30])


def test_intensities_of_another_scale_are_matched_and_the_noise_is_measured():
    rng = np.random.default_rng(0)
    prior = rng.uniform(0, 100, 50_000)
    current = 3 * prior + 7 + rng.normal(0, 2, prior.shape)
    slope, offset, noise = intensity_match(current, prior, same_unit=False)
    assert_allclose((slope, offset, noise), (3, 7, 2), rtol=0.1)
    assert intensity_match(current, prior, same_unit=True)[:2] == (1.0, 0.0)
