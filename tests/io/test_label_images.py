"""Tables of label names in the forms that programs write."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.io import write_mask
from napari_medvlm.io.label_images import read_labels, read_masks, read_names
from tests.conftest import make_phantom

SNAP = """################################################
# ITK-SnAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "Liver"
    2     0  255    0        1  1  1    "Left kidney, upper pole"
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps({"1": "liver", "2": "spleen"})),
        ("a.json", json.dumps({"liver": 1, "spleen": 2})),
        ("a.json", json.dumps({"name": "x", "labels": {"background": 0, "liver": 1, "spleen": 2}})),
        ("a.tsv", "index\tname\tcolor\n1\tliver\t#f00\n2\tspleen\t#0f0\n"),
        ("a.csv", "name,value\nliver,1\nspleen,2\n"),
        ("a.txt", "1 liver\n2 spleen\n"),
        ("a.txt", "# FreeSurfer\n0 Unknown 0 0 0 0\n1 liver 220 20 20 0\n2 spleen 9 9 9 0\n"),
        ("a.csv", 'name,value\n"liver",1\n"spleen",2\n'),
        ("a.json", json.dumps({"labels": {"liver": 1, "spleen": 2, "both": [1, 2]}})),
    ],
)
def test_every_form_of_table_is_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    names = dict(read_names(tmp_path / name))
    names.pop(0, None)
    assert names == {1: "liver", 2: "spleen"}


def test_itk_snap_names_may_hold_commas(tmp_path):
    (tmp_path / "a.label").write_text(SNAP)
    assert read_names(tmp_path / "a.label")[2] == "Left kidney, upper pole"


def test_names_in_quotes_may_hold_what_parts_columns(tmp_path):
    (tmp_path / "a.csv").write_text('"kidney, left",3\n"kidney, right",4\n')
    assert read_names(tmp_path / "a.csv") == {3: "kidney, left", 4: "kidney, right"}


def test_the_table_beside_an_image_is_found(tmp_path):
    volume, left, _ = make_phantom(degrees=(10, 0, 5))
    write_mask(tmp_path / "seg.nii.gz", left.astype(np.uint8) * 3, volume)
    (tmp_path / "seg.json").write_text('{"3": "liver"}')
    labels = read_labels(tmp_path / "seg.nii.gz")
    assert labels.names == {3: "liver"}
    assert_array_equal(labels.values == 3, left)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seg.json", "{"),
        ("seg.json", "[1, 2]"),
        ("seg.json", '{"liver": [1]}'),
        ("seg.txt", "liver\nspleen\n"),
        ("seg.txt", ""),
        ("seg.tsv", "name\tcolor\nliver\tred\n"),
    ],
)
def test_a_table_that_is_none_is_reported(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidImage, match=name):
        read_names(tmp_path / name)


def test_no_table_is_reported_with_the_names_it_could_have(tmp_path):
    volume, left, _ = make_phantom()
    write_mask(tmp_path / "seg.nrrd", left.astype(np.uint8), volume)
    with pytest.raises(InvalidImage, match=r"seg\.json"):
        read_labels(tmp_path / "seg.nrrd")


def test_fractions_are_no_labels(tmp_path):
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 3, 3), 0.5)), str(tmp_path / "seg.nrrd"))
    (tmp_path / "seg.json").write_text('{"1": "liver"}')
    with pytest.raises(InvalidImage, match="no labels"):
        read_labels(tmp_path / "seg.nrrd")


@pytest.mark.parametrize("name", ["gone.nii.gz", "gone.nrrd", "gone.rtstruct.dcm"])
def test_masks_that_are_not_there_are_reported(tmp_path, name):
    with pytest.raises(InvalidImage, match=f"There is no {name}"):
        read_masks(tmp_path / name, make_phantom()[0].grid)


def test_voxels_outside_the_image_are_counted_in_a_note(tmp_path):
    volume, *_ = make_phantom()
    labels = np.zeros(volume.shape, np.uint8)
    labels[2:10, 5:9, 5:9] = 1
    write_mask(tmp_path / "organ.nii.gz", labels, volume)
    half = Grid((6, *volume.shape[1:]), volume.affine)
    named = read_masks(tmp_path / "organ.nii.gz", half)
    assert named.mask_of(1).voxels == 4 * 4 * 4
    assert named.notes == ("64 of 128 voxels of organ.nii.gz lie outside the image, left out.",)
    assert read_masks(tmp_path / "organ.nii.gz", volume.grid).notes == ()
