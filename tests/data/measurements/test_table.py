"""What is measured of bodies whose size is known, on grids of any spacing and angle."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import SimpleITK as sitk

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.frames import lps_from_affine
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.table import COLUMNS, row, write_csv
from napari_medvlm.data.volume import Modality, Volume

SPACING = (1.5, 0.8, 0.6)


def turned(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    about_s = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_l = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return about_s @ about_l


@pytest.fixture(params=[0, 30], ids=["straight", "oblique"])
def grid(request):
    affine = np.eye(4)
    affine[:3, :3] = turned(request.param) * SPACING
    shape = (48, 90, 120)
    affine[:3, 3] = np.array([10.0, -20, 5]) - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def inside(grid, of):
    """Where a function of places ``(..., 3)``, relative to the grid's middle, is true."""
    places = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return of(grid.to_world(places) - [10.0, -20, 5])


def measured(grid, mask):
    data = np.where(mask, 40.0, -100.0) + np.arange(grid.shape[2]) % 2
    return row("body", Mask.of(mask), Volume(data, grid.affine, Modality.CT))


def test_a_sphere(grid):
    found = measured(grid, inside(grid, lambda p: (p**2).sum(-1) <= 15**2))
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 15**3 / 1000, rel=0.01)
    assert found.surface_mm2 == pytest.approx(4 * math.pi * 15**2, rel=0.02)
    assert found.longest_axial_mm == pytest.approx(30, abs=0.8)
    assert found.perpendicular_axial_mm == pytest.approx(30, abs=0.8)
    assert found.longest_mm == pytest.approx(30, abs=1.5)
    center = (found.center_s_mm, found.center_p_mm, found.center_l_mm)
    assert center == pytest.approx((10, -20, 5), abs=0.1)
    assert found.high_l_mm - found.low_l_mm == pytest.approx(30, abs=2 * 1.5)
    assert found.unit == "HU"
    assert (found.minimum, found.maximum) == (40, 41)
    assert found.mean == pytest.approx(40.5, abs=0.05)


def test_an_ellipsoid(grid):
    axes = grid.affine[:3, :3] / SPACING
    found = measured(grid, inside(grid, lambda p: (((p @ axes) / (9, 14, 20)) ** 2).sum(-1) <= 1))
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 9 * 14 * 20 / 1000, rel=0.01)
    assert found.longest_axial_mm == pytest.approx(40, abs=0.8)
    assert found.perpendicular_axial_mm == pytest.approx(28, abs=0.8)
    assert found.longest_mm == pytest.approx(40, abs=1)


def test_a_box_that_is_turned_within_its_slices(grid):
    axes = grid.affine[:3, :3] / SPACING
    spin = math.radians(25)
    along = axes[:, 1] * math.cos(spin) + axes[:, 2] * math.sin(spin)
    across = -axes[:, 1] * math.sin(spin) + axes[:, 2] * math.cos(spin)
    found = measured(
        grid,
        inside(
            grid,
            lambda p: (
                (np.abs(p @ axes[:, 0]) <= 9)
                & (np.abs(p @ along) <= 16)
                & (np.abs(p @ across) <= 8)
            ),
        ),
    )
    assert found.volume_ml == pytest.approx(18 * 32 * 16 / 1000, rel=0.01)
    assert found.longest_axial_mm == pytest.approx(math.hypot(32, 16), abs=0.8)
    across_the_diagonal = 16 * math.hypot(32, 16) / 32
    assert found.perpendicular_axial_mm == pytest.approx(across_the_diagonal, abs=0.8)


def test_shape_statistics_of_simpleitk_are_the_same(grid):
    mask = inside(grid, lambda p: ((p - [2, -3, 4]) ** 2 / [80, 160, 300]).sum(-1) <= 1)
    found = measured(grid, mask)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    direction, spacing, origin = lps_from_affine(grid.affine)
    image.SetDirection(direction)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(image)
    assert found.voxels == shape.GetNumberOfPixels(1)
    assert found.volume_ml == pytest.approx(shape.GetPhysicalSize(1) / 1000, rel=1e-9)
    center = (found.center_l_mm, found.center_p_mm, found.center_s_mm)
    assert center == pytest.approx(shape.GetCentroid(1), abs=1e-6)
    between_centers = shape.GetFeretDiameter(1)
    assert between_centers < found.longest_mm < between_centers + max(image.GetSpacing())


def test_the_longest_diameter_is_never_shorter_than_the_longest_in_a_slice(grid):
    mask = np.zeros(grid.shape, bool)
    for slices in (slice(3, 4), slice(3, 5)):
        mask[slices, 10:30, 10:20] = True
        found = measured(grid, mask)
        places = np.argwhere(mask)
        steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
        borders = (places[:, None] + steps).reshape(-1, 3) @ grid.affine[:3, :3].T
        far = max(np.linalg.norm(borders - border, axis=1).max() for border in borders)
        assert found.longest_mm == pytest.approx(far)
        assert found.longest_mm >= found.longest_axial_mm - 1e-9 > 0


def test_nothing_is_no_number_and_a_table_can_be_read(grid, tmp_path):
    empty = measured(grid, np.zeros(grid.shape, bool))
    assert empty.volume_ml == 0
    assert math.isnan(empty.mean)
    ball = measured(grid, inside(grid, lambda p: (p**2).sum(-1) <= 25))
    write_csv(tmp_path / "t.csv", [ball, empty])
    with (tmp_path / "t.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert float(first["volume_ml"]) == pytest.approx(ball.volume_ml, abs=1e-6)
    assert second["voxels"] == "0"
    with pytest.raises(CannotSave, match=r"t\.csv could not be written"):
        write_csv(tmp_path / "nowhere" / "t.csv", [ball])
