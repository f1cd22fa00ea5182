"""The local change of volume of a deformable pairing, by arithmetic."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.jacobian import volume_change_percent
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind

AFFINE = np.array([[0, 0, 3.0, -5], [2, 0, 0, 7], [0, 2, 0, 1], [0, 0, 0, 1]])
"""An oblique order of axes and voxels of 2 x 2 x 3 mm."""


def of_stretch(stretch, affine_mm):
    """A pairing that takes a current point x to inv(A) (x + (stretch - 1) x)."""
    index = np.stack(np.indices((4, 5, 6)), axis=-1)
    points = index @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    displacement = np.moveaxis(points * (np.array(stretch) - 1), -1, 0)
    return Pairing(
        PairingKind.DEFORMABLE, affine_mm,
        displacement_mm=displacement, displacement_affine=AFFINE,
    )  # fmt: skip


def test_a_stretch_of_the_map_to_the_prior_is_a_shrinkage_of_the_tissue():
    percent, grid = volume_change_percent(of_stretch((1.25, 1.0, 1.0), np.eye(4)))
    assert_allclose(percent, -20.0, rtol=1e-5)  # 1 / 1.25
    assert percent.shape == grid.shape == (4, 5, 6)
    assert_allclose(grid.affine, AFFINE)


def test_the_affine_counts_as_well():
    percent, _ = volume_change_percent(of_stretch((1.0, 1.0, 0.8), np.diag([1.1, 1.0, 1.0, 1.0])))
    assert_allclose(percent, 100 * (1.1 / 0.8 - 1), rtol=1e-5)


def test_a_fold_has_no_value():
    percent, _ = volume_change_percent(of_stretch((-1.0, 1.0, 1.0), np.eye(4)))
    assert np.isnan(percent).all()


def test_a_rigid_pairing_is_refused():
    with pytest.raises(InvalidImage, match="Only a deformable registration"):
        volume_change_percent(Pairing(PairingKind.RIGID, np.eye(4)))
