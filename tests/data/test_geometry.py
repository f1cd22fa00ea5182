"""Frames and grids: every orientation, any spacing, oblique too."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, io_orientation
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage
from napari_medvlm.data.geometry import display, frames
from napari_medvlm.data.geometry import grid as geometry_grid
from napari_medvlm.data.geometry.grid import Grid

ORIENTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
angles = st.tuples(*[st.floats(-45, 45)] * 3)
spacings = st.tuples(*[st.floats(0.3, 6)] * 3)
origins = st.tuples(*[st.floats(-300, 300)] * 3)


def affine_of(
    axes=(0, 1, 2), signs=(1, 1, 1), spacing=(1, 1, 1), degrees=(0, 0, 0), origin=(0, 0, 0)
):
    affine = np.eye(4)
    linear = np.zeros((3, 3))
    linear[axes, range(3)] = signs
    rotation = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = rotation @ linear * np.array(spacing)
    affine[:3, 3] = origin
    return affine


affines = st.builds(
    affine_of,
    st.permutations(range(3)).map(tuple),
    st.tuples(*[st.sampled_from((1, -1))] * 3),
    spacings,
    angles,
    origins,
)


@given(affines, st.tuples(*[st.floats(-20, 60)] * 3))
def test_index_to_world_and_back(affine, zyx):
    grid = Grid((10, 20, 30), affine)
    assert_allclose(grid.to_index(grid.to_world(zyx)), zyx, atol=1e-6)


@given(affines)
def test_simpleitk_and_nibabel_forms_come_back(affine):
    assert_allclose(frames.affine_from_lps(*frames.lps_from_affine(affine)), affine, atol=1e-9)
    assert_allclose(frames.affine_from_ras(frames.ras_matrix(affine)), affine, atol=1e-9)


def test_simpleitk_puts_a_voxel_where_we_do():
    import SimpleITK as sitk

    affine = affine_of((2, 0, 1), (1, -1, 1), (2, 0.7, 1.3), (10, 20, 30), (5, -40, 12))
    image = sitk.Image(4, 5, 6, sitk.sitkUInt8)
    direction, spacing, origin = frames.lps_from_affine(affine)
    image.SetDirection(direction)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    lps = image.TransformIndexToPhysicalPoint((1, 2, 3))
    assert_allclose(Grid((6, 5, 4), affine).to_world((3, 2, 1)), lps[::-1], atol=1e-9)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_every_orientation_is_shown_upright_without_resampling(axes, signs):
    data = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    grid = Grid((3, 4, 5), affine_of(axes, signs, (3.0, 0.5, 1.0), origin=(7, 8, 9)))
    shown, array = display.display_grid(grid), display.displayed(data, grid, order=1)
    assert np.shares_memory(array, data)
    assert array.shape == shown.shape
    assert_allclose(shown.affine[:3, :3], np.diag(np.diag(shown.affine[:3, :3])))
    for index in [(0, 0, 0), (2, 1, 3)]:
        world = grid.to_world(index)
        at = tuple(geometry_grid.round_index(shown.to_index(world)))
        assert array[at] == data[index]


@given(affines)
def test_an_oblique_grid_is_covered_by_the_grid_that_shows_it(affine):
    grid = Grid((4, 6, 8), affine)
    shown = display.display_grid(grid)
    corners = shown.to_index(grid.to_world(geometry_grid.index_corners((0, 0, 0), grid.shape)))
    assert (corners >= -0.5 - 1e-3).all()
    assert (corners <= np.array(shown.shape) - 0.5 + 1e-3).all()


@pytest.fixture
def oblique():
    grid = Grid((12, 20, 24), affine_of(spacing=(3, 1, 1), degrees=(0, 30, 0), origin=(-10, 4, 6)))
    data = np.zeros(grid.shape, np.int16)
    data[4:8, 8:12, 10:14] = 100
    return grid, data


def test_an_oblique_image_shows_its_bright_spot_at_its_place(oblique):
    grid, data = oblique
    shown = display.display_grid(grid)
    picture = np.asarray(display.displayed(data, grid, order=1))
    bright = np.argwhere(picture > 50)
    center = shown.to_world(bright.mean(axis=0))
    assert_allclose(center, grid.to_world((5.5, 9.5, 11.5)), atol=0.7)


def test_a_plane_of_an_oblique_image_equals_that_plane_of_the_whole(oblique):
    grid, data = oblique
    lazy = display.displayed(data, grid, order=1)
    whole = np.asarray(lazy)
    z, y, x = (n // 2 for n in lazy.shape)
    assert_allclose(lazy[z], whole[z])
    assert_allclose(lazy[:, y, :], whole[:, y, :])
    assert_allclose(lazy[..., x], whole[..., x])
    assert_allclose(lazy[2:9:3, y - 2 : y + 2, ::2], whole[2:9:3, y - 2 : y + 2, ::2])
    assert lazy[z, y, x] == whole[z, y, x]


def test_a_later_change_of_an_oblique_mask_is_seen(oblique):
    grid, _ = oblique
    mask = np.zeros(grid.shape, np.uint16)
    shown = display.displayed(mask, grid, order=0)
    assert np.asarray(shown).max() == 0
    mask[6, 10, 12] = 7
    at = geometry_grid.round_index(display.display_grid(grid).to_index(grid.to_world((6, 10, 12))))
    assert shown[tuple(at)] == 7


@pytest.mark.parametrize(
    "affine",
    [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan), np.diag([1, 1, 0, 1.0])],
    ids=["zero", "3 x 3", "nan", "flat"],
)
def test_an_affine_that_places_nothing_is_refused(affine):
    with pytest.raises(InvalidImage, match="affine"):
        Grid((2, 2, 2), affine)


def test_the_volume_of_a_voxel_is_that_of_its_parallelepiped():
    sheared = affine_of(spacing=(5.0, 0.5, 0.8), degrees=(10, 20, 30)) @ np.array(
        [[1, 0, 0, 0], [6.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )
    slice_edge, row, column = sheared[:3, :3].T
    volume = abs(np.dot(slice_edge, np.cross(row, column)))
    grid = Grid((4, 5, 6), sheared)
    assert_allclose(grid.voxel_mm3, volume)
    assert_allclose(grid.voxel_mm3, 5.0 * 0.5 * 0.8)
    assert np.prod(grid.spacing) > 1.1 * volume  # the edge along the slices is longer
    assert_allclose(grid.voxel_ml, volume / 1000)


def test_another_grid_is_noticed():
    a = Grid((4, 4, 4), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 0.5
    geometry_grid.require_same_grid(a, Grid((4, 4, 4), np.eye(4)), "The mask")
    with pytest.raises(GeometryMismatch, match="The mask lies on another grid"):
        geometry_grid.require_same_grid(a, Grid((4, 4, 4), moved), "The mask")
    assert not geometry_grid.same_grid(a, Grid((4, 4, 5), np.eye(4)))


def as_nibabel_turns(data, affine):
    turn = io_orientation(frames.ras_matrix(affine))
    return apply_orientation(data.transpose(2, 1, 0), turn).transpose(2, 1, 0)


@given(st.integers(0, 2**32 - 1), spacings)
def test_turned_to_ras_as_nibabel_does_and_back(seed, spacing):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * spacing
    data = np.arange(24).reshape(2, 3, 4)
    turn = frames.Reorientation.to_ras(affine)
    assert np.array_equal(turn.there(data), as_nibabel_turns(data, affine))
    assert np.array_equal(turn.back(turn.there(data)), data)


@pytest.mark.parametrize("degrees", [45, -45, 135])
@pytest.mark.parametrize("axis", range(3))
def test_an_axis_between_two_is_turned_as_nibabel_does(axis, degrees):
    turned = [0, 0, 0]
    turned[axis] = degrees
    affine = affine_of(spacing=(2.5, 1, 1.25), degrees=turned)
    data = np.arange(24).reshape(2, 3, 4)
    there = frames.Reorientation.to_ras(affine).there(data)
    assert np.array_equal(there, as_nibabel_turns(data, affine))


def test_the_value_outside_an_image_can_be_specified():
    source, target = Grid((2, 2, 2), np.eye(4)), Grid((2, 2, 4), np.eye(4))
    data = np.full((2, 2, 2), 5.0)
    read = display.Reslice(data, source, target, order=1, outside=-3.0)[:, :, :]
    assert read[0, 0].tolist() == [5, 5, -3, -3]
