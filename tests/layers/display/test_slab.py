"""Slabs equal numpy's projections of the same slices, in every plane and orientation."""

from itertools import product

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_array_equal

from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.display.slab import Projection, Slab, SlabView
from napari_medvlm.layers.display.visible_values import visible_values
from napari_medvlm.layers.orientation import Plane, go_to, show_3d, show_plane
from tests.conftest import make_phantom

FUNCTIONS = {Projection.MAX: np.max, Projection.MEAN: np.mean, Projection.MIN: np.min}
FLIPPED = np.diag([2.0, -1.0, -1.5, 1.0])


def volume_of(affine):
    data = np.random.default_rng(1).integers(0, 1000, (24, 40, 30)).astype(np.int16)
    return Volume(data, affine, name="noise")


VOLUMES = {
    "aligned": volume_of(np.diag([2.0, 1.0, 1.5, 1.0])),
    "flipped": volume_of(FLIPPED),
    "permuted": volume_of(FLIPPED[:, [2, 0, 1, 3]]),
    "oblique": make_phantom(degrees=(20, 10, -15))[0],
}


def shown(volume):
    viewer = ViewerModel()
    layer = viewer.add_layer(Layer.create(*layer_data(volume)))
    slab = SlabView(viewer)
    slab.follow(layer)
    return viewer, layer, slab


def seen(viewer, layer):
    """What the canvas shows of a layer, rows and columns as displayed."""
    low, high = np.array(layer.extent.world)
    low, high = np.where(low < high, (low, high), (high, low))
    for axis in viewer.dims.order[:-2]:
        low[axis] = high[axis] = viewer.dims.point[axis]
    return visible_values(viewer, layer, low, high)


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize(("plane", "projection"), list(product(Plane, FUNCTIONS)))
def test_a_slab_equals_the_projection_of_its_slices(name, plane, projection):
    volume = VOLUMES[name]
    viewer, layer, slab = shown(volume)
    grid = display_grid(volume.grid)
    data = np.asarray(displayed(volume.data, volume.grid, order=1))
    show_plane(viewer, plane)
    axis = plane.value[0]
    slab.show(Slab(projection, 6.5 * grid.spacing[axis]))  # three slices to each side
    for index in (12.0, 13.4, 8.5001, 0.0, 1.7, grid.shape[axis] - 1.0):
        at = np.array(grid.shape) / 2
        at[axis] = index
        go_to(viewer, grid.to_world(at).tolist())
        first, last = max(round(index) - 3, 0), round(index) + 4
        slices = [slice(None)] * 3
        slices[axis] = slice(first, last)
        expected = FUNCTIONS[projection](data[tuple(slices)], axis=axis)
        assert_array_equal(picture(viewer, layer), expected)
        assert_array_equal(seen(viewer, layer), expected)


def picture(viewer, layer):
    """The image that napari draws, with its axes in the order of the data."""
    drawn = np.asarray(layer._slice.image.raw)
    rows, columns = viewer.dims.displayed
    return drawn if rows < columns else drawn.T


def test_the_slab_has_the_slices_within_half_of_its_thickness():
    viewer, layer, slab = shown(VOLUMES["aligned"])  # slices of 2 mm
    go_to(viewer, (24.0, 20.0, 20.0))
    for thickness, slices in ((3.9, 0), (4.0, 1), (7.9, 1), (8.0, 2), (20.0, 5)):
        slab.show(Slab(Projection.MAX, thickness))
        expected = VOLUMES["aligned"].data[12 - slices : 13 + slices].max(axis=0)
        assert_array_equal(picture(viewer, layer), expected)


def test_without_a_slab_and_in_3d_nothing_is_projected_and_the_modes_come_back():
    viewer, layer, slab = shown(VOLUMES["flipped"])
    other = viewer.add_layer(Layer.create(*layer_data(VOLUMES["aligned"])))
    modes = str(layer.projection_mode), str(other.projection_mode)
    slab.show(Slab(Projection.MAX, 10))
    assert (str(layer.projection_mode), str(other.projection_mode)) == ("max", "none")
    slab.follow(other)
    assert (str(layer.projection_mode), str(other.projection_mode)) == ("none", "max")
    show_3d(viewer)
    assert (str(layer.projection_mode), str(other.projection_mode)) == modes
    show_plane(viewer, Plane.AXIAL)
    assert str(other.projection_mode) == "max"
    slab.close()
    assert (str(layer.projection_mode), str(other.projection_mode)) == modes
    assert viewer.dims.margin_left == viewer.dims.margin_right == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("plane", list(Plane))
def test_a_click_lies_on_the_brightest_or_darkest_voxel_of_the_slab(name, plane):
    volume = VOLUMES[name]
    viewer, _, slab = shown(volume)
    grid = display_grid(volume.grid)
    data = np.asarray(displayed(volume.data, volume.grid, order=1))
    show_plane(viewer, plane)
    axis = plane.value[0]
    index = np.array([12.0, 15.0, 14.0])
    go_to(viewer, grid.to_world(index).tolist())
    across = [12, 15, 14]
    across[axis] = slice(int(index[axis]) - 4, int(index[axis]) + 5)
    column = data[tuple(across)]
    for projection, best in ((Projection.MAX, column.max()), (Projection.MIN, column.min())):
        slab.show(Slab(projection, 8 * grid.spacing[axis]))
        clicked = slab.clicked_index(index, displayed(volume.data, volume.grid, 1), grid)
        assert data[tuple(clicked.astype(int))] == best
        candidates = np.flatnonzero(column == best) - 4
        assert abs(clicked[axis] - index[axis]) == np.abs(candidates).min()
        assert_array_equal(np.delete(clicked, axis), np.delete(index, axis))
    slab.show(Slab(Projection.MEAN, 8 * grid.spacing[axis]))
    assert_array_equal(slab.clicked_index(index, data, grid), index)
    slab.show(Slab(Projection.MAX, 8 * grid.spacing[axis]))
    outside = index.copy()
    outside[(axis + 1) % 3] = -5
    assert_array_equal(slab.clicked_index(outside, data, grid), outside)


def test_a_slab_outlives_other_axes_and_the_removal_of_its_image():
    viewer, layer, slab = shown(VOLUMES["flipped"])
    go_to(viewer, display_grid(VOLUMES["flipped"].grid).to_world((12, 20, 15)).tolist())
    slab.show(Slab(Projection.MAX, 8.0))
    expected = VOLUMES["flipped"].data[10:15].max(axis=0)
    assert_array_equal(picture(viewer, layer), expected)
    series = viewer.add_image(np.zeros((3, 2, 2, 2)))  # with an axis of time
    assert_array_equal(picture(viewer, layer), expected)
    viewer.layers.remove(series)
    viewer.layers.remove(layer)
    viewer.add_image(np.zeros((4, 5)))
    slab.follow(None)
    assert set(viewer.dims.margin_left) == {0.0}
