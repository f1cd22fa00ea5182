"""Measurements go to a DICOM report and come back; a validator has nothing against it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_read import read_rulers, read_sr


@pytest.fixture
def seg(volume, tmp_path):
    labels = np.zeros(volume.shape, np.uint8)
    labels[2:5, 3:10, 4:20] = 1
    labels[6, 12:18, 2:9] = 3
    path = tmp_path / "seg.dcm"
    nmv.write_mask(path, labels, volume, {1: Segment("left kidney"), 3: Segment("lesion")})
    return path


def measured(volume, seg, *more):
    return CliRunner().invoke(app, ["measure", str(volume.source), "--mask", str(seg), *more])


def test_what_is_printed_is_in_the_report_and_in_the_table(volume, seg, tmp_path):
    sr, table = tmp_path / "sr.dcm", tmp_path / "t.csv"
    done = measured(volume, seg, "--sr", str(sr), "--csv", str(table), "--json")
    assert done.exit_code == 0, done.output
    objects = json.loads(done.stdout)["objects"]
    assert [found["name"] for found in objects] == ["left kidney", "lesion"]
    assert objects[0]["voxels"] == 3 * 7 * 16
    voxel_ml = abs(np.linalg.det(volume.affine[:3, :3])) / 1000
    assert objects[0]["volume_ml"] == pytest.approx(336 * voxel_ml)
    back = read_sr(sr)
    for found, reported in zip(objects, back, strict=True):
        assert reported["name"] == found["name"]
        for column in ("volume_ml", "longest_axial_mm", "perpendicular_axial_mm", "mean", "sd"):
            assert reported[column] == pytest.approx(found[column], abs=1e-3)
        assert (reported["minimum"], reported["maximum"]) == (found["minimum"], found["maximum"])
    assert table.read_text("utf-8").count("\n") == 3


RULERS = [
    Ruler("lesion, longest axial", np.array([[1.0, 2, 2], [1, 5, 6]])),
    Ruler("Angle 1", np.array([[3.0, 0, 0], [0, 0, 0], [0, 0, 4.0]])),
]


def test_distances_and_angles_are_in_the_report_with_their_points(volume, tmp_path):
    sr = tmp_path / "sr.dcm"
    write_sr(sr, None, {}, volume, rulers=[*RULERS, Ruler("unknown", RULERS[0].points_mm, False)])
    read = read_rulers(sr)
    assert [(line.name, line.text) for line in read] == [
        ("lesion, longest axial", "5.0 mm"),
        ("Angle 1", "90.0°"),
    ]
    for line, back in zip(RULERS, read, strict=True):
        assert np.allclose(line.points_mm, back.points_mm)
    assert read_sr(sr) == ()


def test_a_report_of_objects_has_the_distances_too(volume, seg, tmp_path):
    plain, sr = tmp_path / "plain.dcm", tmp_path / "sr.dcm"
    assert measured(volume, seg, "--sr", str(plain)).exit_code == 0
    objects = read_sr(plain)
    row = {"name": "lesion", "voxels": 42, "volume_ml": 1.5, "longest_axial_mm": 5.0}
    row |= {"perpendicular_axial_mm": 2.0, "mean": 1.0, "sd": 0.5, "minimum": 0.0}
    write_sr(sr, seg, {2: row | {"maximum": 2.0, "unit": volume.unit}}, volume, rulers=RULERS)
    assert [values["name"] for values in read_sr(sr)] == [objects[1]["name"]]
    assert [line.name for line in read_rulers(sr)] == ["lesion, longest axial", "Angle 1"]


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
@pytest.mark.parametrize("of", ["objects", "distances"])
def test_a_validator_finds_no_error(volume, seg, tmp_path, of):
    sr = tmp_path / "sr.dcm"
    if of == "objects":
        assert measured(volume, seg, "--sr", str(sr)).exit_code == 0
    else:
        write_sr(sr, None, {}, volume, rulers=RULERS)
    reported = subprocess.run(["dciodvfy", "-new", sr], capture_output=True, text=True, check=False)
    assert reported.stderr.strip().endswith("Comprehensive3DSR")
    assert "Error" not in reported.stderr


def test_a_single_object_is_reported(volume, tmp_path):
    seg, sr = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    mask = np.zeros(volume.shape, bool)
    mask[2:5, 3:10, 4:20] = True
    nmv.write_mask(seg, mask, volume, {1: Segment("cyst")})
    done = measured(volume, seg, "--sr", str(sr))
    assert done.exit_code == 0, done.output
    assert [reported["name"] for reported in read_sr(sr)] == ["cyst"]


def test_a_report_refers_to_a_segmentation(volume, seg, tmp_path):
    mask = tmp_path / "mask.nii.gz"
    nmv.write_mask(mask, np.ones(volume.shape, np.uint8), volume)
    done = measured(volume, mask, "--sr", str(tmp_path / "sr.dcm"))
    assert done.exit_code == 1
    assert "mask.nii.gz is none" in done.output
    assert not (tmp_path / "sr.dcm").exists()
    assert measured(volume, mask).stdout.startswith("mask: ")


def test_another_kind_of_file_is_no_report(seg):
    with pytest.raises(InvalidImage, match="cannot be read as a report"):
        read_sr(seg)
