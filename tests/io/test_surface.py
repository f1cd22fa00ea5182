"""Surfaces of masks as STL."""

import numpy as np
import pytest
import trimesh

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave
from tests.conftest import make_phantom


@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, 15, 30)], ids=["straight", "oblique"])
@pytest.mark.parametrize("flipped", [False, True], ids=["", "flipped"])
def test_a_surface_lies_where_the_object_is_and_looks_outwards(tmp_path, degrees, flipped):
    volume, left, _ = make_phantom(degrees=degrees)
    if flipped:
        affine = volume.affine @ np.diag([-1.0, 1, 1, 1])
        volume = nmv.Volume(volume.data, affine)
    nmv.write_mask(tmp_path / "left.stl", left, volume)
    mesh = trimesh.load(tmp_path / "left.stl")
    assert mesh.is_watertight
    voxels_mm3 = left.sum() * abs(np.linalg.det(volume.affine[:3, :3]))
    assert mesh.volume == pytest.approx(voxels_mm3, rel=0.05)
    center = volume.grid.to_world(np.argwhere(left).mean(axis=0))
    np.testing.assert_allclose(mesh.center_mass, center[::-1], atol=0.2)


def test_labels_have_a_closed_surface_each(tmp_path):
    volume, left, right = make_phantom()
    nmv.write_mask(tmp_path / "both.stl", left + 2 * right, volume)
    assert trimesh.load(tmp_path / "both.stl").body_count == 2


def test_empty_mask_has_no_surface(tmp_path):
    volume, left, _ = make_phantom()
    with pytest.raises(CannotSave, match="no voxel is inside"):
        nmv.write_mask(tmp_path / "empty.stl", left & False, volume)
    assert list(tmp_path.iterdir()) == []
