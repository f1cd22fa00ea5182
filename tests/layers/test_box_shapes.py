"""A box in 3D shows all its edges; the handles of a box have one size on the screen."""

import itertools

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.layers.box_shapes import WIRE, transform_of
from tests.conftest import make_phantom


def test_the_walk_takes_every_edge_and_never_turns_back():
    steps = list(itertools.pairwise(WIRE))
    assert all(bin(a ^ b).count("1") == 1 for a, b in steps)
    assert len({frozenset(step) for step in steps}) == 12
    assert all(a != c for a, c in zip(WIRE, WIRE[2:], strict=False))
    assert set(np.ravel(WIRE)) == set(range(8))


@pytest.mark.parametrize("spacing", [(0.04, 0.02, 0.02), (2.0, 1.0, 1.0), (210.0, 70.0, 70.0)])
def test_the_mouse_picks_a_handle_of_a_box_where_it_is_drawn(spacing):
    grid = display_grid(make_phantom(spacing=spacing)[0].grid)
    viewer = ViewerModel()
    corners = [(12, 10, 10), (12, 10, 30), (12, 30, 30), (12, 30, 10)]
    layer = Shapes([corners], ndim=3, **transform_of(grid))
    viewer.add_layer(layer)
    viewer.dims.point = tuple(grid.to_world(corners[0]))
    layer.mode, layer.selected_data = "select", {0}
    pixel_mm = 44 * spacing[2] / 600  # the image is 600 pixels wide
    layer.scale_factor = pixel_mm
    picked = {}
    for pixels in (0, 4, 7):  # a handle is 10 pixels wide
        place = grid.to_world(corners[0]) - (0, pixels * pixel_mm, 0)
        picked[pixels] = layer.get_value(tuple(place), world=True)[1] is not None
    assert picked == {0: True, 4: True, 7: False}


def test_indices_of_an_oblique_grid_are_at_its_positions():
    grid = display_grid(make_phantom(degrees=(20, 15, 30))[0].grid)
    layer = Shapes(ndim=3, **transform_of(grid))
    for index in ((0, 0, 0), (5, 7, 9)):
        np.testing.assert_allclose(layer.data_to_world(index), grid.to_world(index))
