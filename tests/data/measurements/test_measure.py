"""Diameters in a slice, as radiologists measure them; how bright an object is."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import diameters, measure
from napari_medvlm.data.volume import Volume
from tests.conftest import make_phantom


def by_hand(places):
    """The longest distance of points in a plane, and that across it between outline points."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    one, other = np.unravel_index(apart.argmax(), apart.shape)
    return apart.max(), places[one], places[other]


def test_an_ellipse_has_its_axes():
    y, x = np.indices((61, 61)) - 30.0
    inside = (y / 12) ** 2 + (x / 25) ** 2 <= 1
    full = np.zeros((5, 61, 61), bool)
    full[2] = inside
    full[3] = (y / 5) ** 2 + (x / 9) ** 2 <= 1
    found = diameters(Mask.of(full), np.diag([3.0, 0.5, 0.5, 1.0]))
    assert found.longest_mm == pytest.approx(25, abs=0.5)
    assert found.perpendicular_mm == pytest.approx(12, abs=0.5)
    assert found.slice == (0, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_no_two_places_are_further_apart_and_a_turn_changes_nothing(seed, degrees):
    noise = np.random.default_rng(seed)
    full = np.zeros((3, 9, 8), bool)
    full[1] = noise.random((9, 8)) < noise.random() * 0.6
    if not full.any():
        return
    affine = np.diag([3.0, 1.0, 0.7, 1.0])
    steps = [(0, 0.5, 0), (0, -0.5, 0), (0, 0, 0.5), (0, 0, -0.5)]
    places = np.concatenate([np.argwhere(full) + step for step in steps]) @ affine[:3, :3].T
    found = diameters(Mask.of(full), affine)
    assert found.longest_mm == pytest.approx(by_hand(places)[0])
    assert 0 <= found.perpendicular_mm <= found.longest_mm + 1e-9
    turned = affine.copy()
    turned[:3, :3] = Rotation.from_euler("x", degrees, degrees=True).as_matrix() @ affine[:3, :3]
    again = diameters(Mask.of(full), turned)
    assert again.longest_mm == pytest.approx(found.longest_mm)


def test_lines_and_single_voxels_are_a_voxel_wide():
    line = np.zeros((1, 9, 9), bool)
    line[0, 4, 1:7] = True
    found = diameters(Mask.of(line), np.eye(4))
    assert (found.longest_mm, found.perpendicular_mm) == (6.0, 1.0)
    dot = np.zeros((1, 3, 3), bool)
    dot[0, 1, 1] = True
    assert diameters(Mask.of(dot), np.eye(4)).longest_mm == 1
    assert diameters(Mask.empty((3, 3, 3)), np.eye(4)).longest_mm == 0


def test_measuring_a_large_object_takes_less_memory_than_the_image():
    values = np.random.default_rng(0).integers(-1000, 2000, (40, 256, 256)).astype(np.int16)
    volume, mask = Volume(values), Mask.of(np.ones(values.shape, bool))
    tracemalloc.start()
    measured = measure(volume, mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measured.mean == pytest.approx(values.mean())
    assert measured.sd == pytest.approx(values.std())
    assert peak < 6 * 2**20 + 8 * (1 << 20) * 3  # a copy of the values, and parts of them


@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, 15, 30)], ids=["straight", "oblique"])
def test_the_ends_of_the_diameters_lie_where_they_are_measured(degrees):
    volume, left, _ = make_phantom(degrees=degrees)
    found = diameters(Mask.of(left), volume.affine)
    longest, across = np.array(found.longest_ends), np.array(found.perpendicular_ends)
    assert np.linalg.norm(longest[1] - longest[0]) == pytest.approx(found.longest_mm)
    assert np.linalg.norm(across[1] - across[0]) == pytest.approx(found.perpendicular_mm)
    assert (longest[1] - longest[0]) @ (across[1] - across[0]) == pytest.approx(0, abs=1e-6)
    axis, index = found.slice
    ends = volume.grid.to_index(np.concatenate([longest, across]))
    np.testing.assert_allclose(ends[:, axis], index, atol=1e-6)
    apart = np.abs(ends[:, None] - np.argwhere(left)).max(axis=-1).min(axis=-1)
    assert (apart <= 0.5 + 1e-6).all()


def test_an_empty_mask_has_no_diameters():
    assert diameters(Mask.empty((3, 3, 3)), np.eye(4)).longest_ends is None
