"""Outlines enclose their pixels and nothing else, and pixels come back from outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label
from skimage.draw import polygon2mask

from napari_medvlm.io.dicom_objects.contours import filled, outlines, united

planes = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def area(corners):
    y, x = corners.T
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


@given(planes)
def test_pixels_come_back_and_the_enclosed_area_is_theirs(plane):
    found = outlines(plane)
    assert np.array_equal(filled(found, plane.shape), plane)
    assert sum(map(area, found)) == plane.sum()
    assert len(found) == label(plane)[1]


@given(planes)
def test_another_rasteriser_finds_the_same_pixels_one_outline_at_a_time(plane):
    theirs = [polygon2mask(plane.shape, corners) for corners in outlines(plane)]
    assert np.array_equal(np.any([np.zeros(plane.shape, bool), *theirs], axis=0), plane)


def test_a_hole_is_a_keyhole_of_one_outline():
    plane = np.ones((5, 5), bool)
    plane[2, 2] = False
    (corners,) = outlines(plane)
    assert corners.tolist().count([1.5, -0.5]) == 2
    assert area(corners) == 24


def test_pixels_that_touch_at_a_corner_have_outlines_of_their_own():
    assert sorted(len(corners) for corners in outlines(np.eye(3, dtype=bool))) == [4, 4, 4]


def square(low, high):
    return np.array([[low, low], [low, high], [high, high], [high, low]], float)


def test_a_contour_in_another_is_a_hole():
    expected = np.zeros((10, 10), bool)
    expected[1:9, 1:9] = True
    expected[3:7, 3:7] = False
    assert np.array_equal(filled([square(0.5, 8.5), square(2.5, 6.5)], (10, 10)), expected)


@pytest.mark.parametrize("shift", [0.0, 0.004, -0.004])
def test_contours_through_pixel_centres_hold_these_pixels(shift):
    plane = np.zeros((7, 8), bool)
    plane[1:5, 1:5] = True
    assert np.array_equal(filled([square(1, 4) + shift], (7, 8)), plane)
    diamond = np.array([[0, 2], [2, 4], [4, 2], [2, 0]]) + shift
    y, x = np.mgrid[:7, :8]
    assert np.array_equal(filled([diamond], (7, 8)), abs(y - 2) + abs(x - 2) <= 2)


def test_what_reaches_outside_is_cut_off():
    assert filled([square(-1e9, 1e9)], (3, 4)).all()
    assert not filled([square(20, 30)], (3, 4)).any()
    assert not filled([], (3, 4)).any()


def inside_of(*boxes):
    """Pixels ``(10, 10)`` in any of boxes ``y, y, x, x`` of whole pixels, both ends included."""
    plane = np.zeros((10, 10), bool)
    for top, bottom, left, right in boxes:
        plane[top : bottom + 1, left : right + 1] = True
    return plane


def test_a_contour_that_is_there_twice_counts_once():
    again = np.roll(square(0.5, 8.5)[::-1], 1, axis=0)
    union = united([square(0.5, 8.5), again], (10, 10))
    assert np.array_equal(union.inside, inside_of((1, 8, 1, 8)))
    assert (union.holes, union.repeated) == (0, 1)


def test_contours_that_share_a_part_are_united():
    union = united([square(0.5, 5.5), square(3.5, 8.5)], (10, 10))
    assert np.array_equal(union.inside, inside_of((1, 5, 1, 5), (4, 8, 4, 8)))
    assert (union.holes, union.repeated) == (0, 0)


def test_an_island_in_a_hole_is_inside_whatever_the_order():
    squares = [square(3.5, 5.5), square(0.5, 8.5), square(2.5, 6.5), square(2.5, 6.5)]
    union = united(squares, (10, 10))
    expected = inside_of((1, 8, 1, 8)) & ~inside_of((3, 6, 3, 6)) | inside_of((4, 5, 4, 5))
    assert np.array_equal(union.inside, expected)
    assert (union.holes, union.repeated) == (1, 1)


def test_a_hole_of_a_contour_is_filled_where_another_one_reaches_into_it():
    ring = [square(-0.5, 7.5), square(1.5, 5.5)]
    other = np.array([[3.5, 4.5], [3.5, 9.5], [9.5, 9.5], [9.5, 4.5]])
    union = united([*ring, other], (10, 10))
    expected = inside_of((0, 7, 0, 7)) & ~inside_of((2, 5, 2, 5)) | inside_of((4, 9, 5, 9))
    assert np.array_equal(union.inside, expected)


@given(planes)
def test_the_outlines_of_pixels_are_neither_holes_nor_repeated(plane):
    union = united(outlines(plane), plane.shape) if plane.any() else united([], plane.shape)
    assert np.array_equal(union.inside, plane)
    assert (union.holes, union.repeated) == (0, 0)
