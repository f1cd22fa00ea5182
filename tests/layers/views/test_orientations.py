"""A position is the same in all three views, whatever the orientation of the volume."""

from itertools import permutations, product

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from scipy.spatial.transform import Rotation

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, axis_across, go_to, show_plane
from napari_medvlm.layers.views.side_view import SideView

SPACING = (2.5, 1.0, 1.5)
OBLIQUE = ((20, 0, 0), (0, -35, 10), (12, 25, -40))


def affine_of(order, signs, degrees=(0, 0, 0)):
    """Array axes along the patient's axes in an order and with signs, turned by angles."""
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix = np.eye(4)
    for axis, (along, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[:3, axis] = turn[:, along] * sign * SPACING[axis]
    matrix[:3, 3] = 11, -7, 23
    return matrix


CASES = [
    pytest.param(affine_of(order, signs), id=f"{order}{signs}")
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
CASES += [
    pytest.param(affine_of((0, 1, 2), (1, 1, -1), degrees), id=f"oblique {degrees}")
    for degrees in OBLIQUE
]


@pytest.mark.parametrize("affine", CASES)
def test_a_position_is_within_half_a_voxel_in_every_view(affine):
    assert len(CASES) == 48 + 3
    volume = Volume(np.zeros((9, 12, 10), np.uint8), affine)
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    sides = [SideView(viewer, plane) for plane in (Plane.CORONAL, Plane.SAGITTAL)]
    place = volume.grid.to_world((3, 7, 4))
    go_to(viewer, place.tolist())
    half = max(volume.spacing) / 2 + 1e-6
    views = [viewer, *(side.model for side in sides)]
    assert sorted(axis_across(view) for view in views) == [0, 1, 2]
    for view in views:
        across = axis_across(view)
        assert abs(view.dims.point[-3:][across] - place[across]) <= half
    for side in sides:
        side.close()
