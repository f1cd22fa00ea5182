"""A slice seen as a picture is upright, and its pixels lead back to where they came from."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import part_around, picture_of
from napari_medvlm.data.volume import Volume, Window

ORIENTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def volume_with(orientation, spacing=(3.0, 1.0, 1.5), degrees=0.0, shape=(12, 20, 26)):
    """A dark volume in an orientation, its grid, and a bright block at a known place."""
    axes, signs = orientation
    affine = np.eye(4)
    matrix = np.zeros((3, 3))
    for array_axis, (patient, sign) in enumerate(zip(axes, signs, strict=True)):
        matrix[patient, array_axis] = sign
    turn = Rotation.from_euler("xyz", [degrees, degrees / 2, -degrees], degrees=True).as_matrix()
    affine[:3, :3] = turn @ matrix * spacing
    data = np.zeros(shape, np.int16)
    data[3:6, 5:12, 7:15] = 1000
    return Volume(data, affine)


def seen(picture):
    """The bright rectangle of a picture as x0, y0, x1, y1."""
    rows, columns = (np.flatnonzero((picture.pixels[..., 0] > 127).any(axis=a)) for a in (1, 0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_boxes_in_the_image_are_mapped_to_patient_coordinates(orientation, axis):
    volume = volume_with(orientation, degrees=20)
    index = (4, 8, 10)[axis]
    picture = picture_of(volume, SliceRef(axis, index), Window(500, 1000))
    start, stop = picture.box(seen(picture)).bounds(volume.grid)
    wanted_start, wanted_stop = np.array((3, 5, 7)), np.array((6, 12, 15))
    wanted_start[axis], wanted_stop[axis] = index, index + 1
    assert_allclose(start, wanted_start, atol=1)
    assert_allclose(stop, wanted_stop, atol=1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_left_is_right_and_superior_is_up(orientation):
    volume = volume_with(orientation)
    axes, _ = orientation
    middle = volume.grid.to_world((np.array(volume.shape) - 1) / 2)
    for patient_across, (down, right) in {
        0: ((0, 1, 0), (0, 0, 1)),
        1: ((-1, 0, 0), (0, 0, 1)),
        2: ((-1, 0, 0), (0, 1, 0)),
    }.items():
        axis = axes.index(patient_across)
        picture = picture_of(volume, SliceRef(axis, volume.shape[axis] // 2))
        at = picture.pixel_of(middle)
        assert picture.pixel_of(middle + np.array(down))[1] > at[1]
        assert picture.pixel_of(middle + np.array(right))[0] > at[0]


def test_pixels_are_square():
    volume = volume_with(ORIENTATIONS[0], spacing=(3.0, 1.0, 1.0))
    assert picture_of(volume, SliceRef(2, 4)).size == (36, 20)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ORIENTATIONS),
    st.integers(0, 2),
    st.tuples(*[st.floats(0.05, 0.95)] * 2),
    st.floats(-40, 40),
)
def test_a_point_returns_to_its_pixel(orientation, axis, at, degrees):
    volume = volume_with(orientation, degrees=degrees)
    picture = picture_of(volume, SliceRef(axis, 5))
    xy = np.array([at[0] * picture.size[1], at[1] * picture.size[0]])
    back = picture.pixel_of(np.array(picture.point(*xy).position_mm))
    assert_allclose(back, xy, atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS[::7])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_heatmaps_and_masks_lie_where_the_picture_shows_them(orientation, axis):
    volume = volume_with(orientation)
    index = (4, 8, 10)[axis]
    picture = picture_of(volume, SliceRef(axis, index), Window(500, 1000))
    bright = picture.pixels[..., 0] / 255
    truth = np.zeros(volume.shape, bool)
    where = [slice(None)] * 3
    where[axis] = index
    truth[tuple(where)] = volume.data[tuple(where)] > 0
    assert (picture.mask(bright > 0.5).full() == truth).mean() > 0.99
    heat = picture.heatmap(bright).full()
    assert heat[truth].mean() > 0.8
    assert heat[~truth].mean() < 0.01


def test_a_box_beside_the_picture_is_none():
    picture = picture_of(volume_with(ORIENTATIONS[0]), SliceRef(0, 4))
    assert picture.box((-9, -9, -1, -1)) is None


THICK = Grid((10, 4, 4), np.diag([3.0, 1, 1, 1]))


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (Scope(), list(range(10))),
        (Scope(start=2, stop=5), [2, 3, 4]),
        (Scope(slice_step_mm=9.0), [0, 3, 6, 9]),
        (Scope(slice_step_mm=12.0), [0, 4, 8]),
        (Scope.of_slice(0, 7), [7]),
        (Scope.near(SliceRef(0, 1), 6.0, THICK), [0, 1, 2, 3]),
        (Scope.near(SliceRef(0, 7), 6.0, THICK, 6.0), [5, 7, 9]),
        (Scope(slice_step_mm=1000), [4]),
    ],
)
def test_slices_are_chosen_evenly(scope, wanted):
    assert [s.index for s in scope.slices(THICK)] == wanted


def test_a_range_beside_the_image_is_refused():
    with pytest.raises(InvalidPrompt, match="no slice from 20"):
        Scope(start=20).slices(Grid((10, 4, 4), np.eye(4)))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ORIENTATIONS),
    st.integers(0, 2),
    st.tuples(*[st.integers(0, 7)] * 2),
    st.tuples(*[st.integers(1, 8)] * 2),
    st.floats(-40, 40),
)
def test_a_box_returns_from_a_part_of_a_slice(orientation, axis, first, length, degrees):
    volume = volume_with(orientation, degrees=degrees, shape=(15, 16, 17))
    rows, columns = (a for a in range(3) if a != axis)
    start, stop = np.zeros(3, int), np.zeros(3, int)
    start[axis], stop[axis] = 5, 6
    for a, low, size in zip((rows, columns), first, length, strict=True):
        start[a], stop[a] = low, low + size
    box = Box.at_index(volume, start, stop)
    picture = picture_of(volume, SliceRef(axis, 5), part=part_around(box, volume.grid, axis))
    height, width = picture.size
    back = picture.box((0, 0, width, height))
    assert_allclose(back.corners(), box.corners(), atol=1e-4)
    assert picture.box((-9, -9, width + 9, height + 9)) == back
    corners = picture.pixel_of(box.corners())
    assert_allclose([corners.min(0), corners.max(0)], [(0, 0), (width, height)], atol=1e-4)


@pytest.mark.parametrize("orientation", ORIENTATIONS[::5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_part_is_cut_from_the_whole_and_its_masks_lie_there(orientation, axis):
    volume = volume_with(orientation, spacing=(1.0, 1.0, 1.0))
    where = SliceRef(axis, (4, 8, 10)[axis])
    box = Box.at_index(volume, (2, 4, 6), (7, 11, 16))
    whole = picture_of(volume, where, Window(500, 1000))
    part = picture_of(volume, where, Window(500, 1000), part_around(box, volume.grid, axis))
    corners = whole.pixel_of(box.corners())
    (x0, y0), (x1, y1) = (np.round(c).astype(int) for c in (corners.min(0), corners.max(0)))
    np.testing.assert_array_equal(part.pixels, whole.pixels[y0:y1, x0:x1])
    bright = part.pixels[..., 0] > 127
    mask = part.mask(bright)
    np.testing.assert_array_equal(part.cut(mask), bright)
    assert (volume.data[mask.full()] > 0).all()
    np.testing.assert_array_equal(whole.cut(mask)[y0:y1, x0:x1], bright)


def test_three_windows_are_red_green_and_blue():
    volume = volume_with(ORIENTATIONS[0])
    windows = (Window(0, 4000), Window(1000, 1000), Window(2000, 100))
    picture = picture_of(volume, SliceRef(0, 4), windows)
    assert picture.windows == windows
    inside = picture.pixels[picture.pixels[..., 0] > 150]
    assert_allclose(inside[len(inside) // 2], (191, 128, 0), atol=1)
