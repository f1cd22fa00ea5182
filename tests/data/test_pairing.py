"""The transform between two volumes: points there and back, with and without a displacement."""

import numpy as np
from numpy.testing import assert_allclose

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind

QUARTER_TURN = np.array(
    [[1.0, 0, 0, 5], [0, 0, -1, -2], [0, 1, 0, 3], [0, 0, 0, 1]]
)  # P to L, then a shift


def test_a_point_goes_through_the_affine_and_back():
    pairing = Pairing(PairingKind.RIGID, QUARTER_TURN)
    assert_allclose(pairing.to_current((1, 2, 3)), (6, -5, 5))
    assert_allclose(pairing.to_prior((6, -5, 5)), (1, 2, 3))


def test_many_points_have_the_shape_that_they_had():
    points = np.arange(24.0).reshape(2, 4, 3)
    pairing = Pairing(PairingKind.AFFINE, QUARTER_TURN)
    assert pairing.to_current(points).shape == (2, 4, 3)
    assert_allclose(pairing.to_prior(pairing.to_current(points)), points)


def deformable():
    """A displacement along S that grows with S: 0.1 mm for each millimetre from 0 on."""
    displacement = np.zeros((3, 11, 2, 2))
    displacement[0] = 0.2 * np.arange(11)[:, None, None]
    affine = np.diag([2.0, 50.0, 50.0, 1.0])  # voxels of 2 mm along S
    return Pairing(
        PairingKind.DEFORMABLE,
        QUARTER_TURN,
        displacement_mm=displacement,
        displacement_affine=affine,
    )


def test_a_displacement_is_added_before_the_affine_is_undone():
    # (10, 1, 1) is displaced by 1 mm to (11, 1, 1); undone: S 11 - 5, then P = L - 3, L = -(P + 2)
    assert_allclose(deformable().to_prior((10, 1, 1)), (6, -2, -3))


def test_a_displacement_is_inverted():
    points = np.array([[3.0, 1, 4], [10, 1, 1], [17, 20, 30]])
    pairing = deformable()
    assert_allclose(pairing.to_current(pairing.to_prior(points)), points, atol=1e-6)


def test_beyond_its_grid_a_displacement_is_that_of_the_border():
    # the grid ends at S 20, where the displacement is 2 mm
    far = deformable().to_prior((100, 0, 0))
    assert_allclose(far, Pairing(PairingKind.RIGID, QUARTER_TURN).to_prior((102, 0, 0)))
