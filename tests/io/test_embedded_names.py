"""Names that label images have in their own headers, written by SimpleITK and nibabel."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.label_images import read_labels, read_masks

LABELS = np.zeros((4, 5, 6), np.uint8)
LABELS[1, 1:3, 1:3], LABELS[2, 2:4, 1:5] = 1, 2
TABLE = (
    '<?xml version="1.0"?><CaretExtension><VolumeInformation Index="0"><LabelTable>'
    '<Label Key="0" Red="1" Green="1" Blue="1">???</Label>'
    '<Label Key="1" Red="1" Green="0.5" Blue="0"><![CDATA[liver]]></Label>'
    '<Label Key="2"><![CDATA[left kidney]]></Label>'
    "</LabelTable></VolumeInformation></CaretExtension>"
)
NAMES = {1: "liver", 2: "left kidney"}


def slicer(path):
    image = sitk.GetImageFromArray(LABELS)
    for number, (value, name) in enumerate(NAMES.items()):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
    image.SetMetaData("Segment0_Color", "1 0.5 0")
    sitk.WriteImage(image, str(path))
    return path


def total_segmentator(path, table=TABLE):
    image = nibabel.Nifti1Image(LABELS.T, np.diag([-1, -1, 1, 1]))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(30, table.encode()))
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize(
    ("write", "name"), [(slicer, "a.seg.nrrd"), (total_segmentator, "a.nii.gz")]
)
def test_names_and_colours_of_the_header_are_read(tmp_path, write, name):
    path = write(tmp_path / name)
    named = read_labels(path)
    assert named.names == NAMES
    assert named.colors == {1: "#ff8000"}
    assert (named.values == LABELS).all()
    assert read_masks(path, named.grid).names == NAMES


def test_a_table_beside_the_image_counts_before_its_header(tmp_path):
    path = total_segmentator(tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text('{"1": "foie", "2": "rein"}')
    assert read_labels(path).names == {1: "foie", 2: "rein"}


def test_a_damaged_table_in_the_header_is_no_table(tmp_path):
    path = total_segmentator(tmp_path / "a.nii.gz", TABLE.replace("</LabelTable>", ""))
    with pytest.raises(InvalidImage, match="no table of names"):
        read_labels(path)


def test_the_table_beside_a_file_of_freesurfer_is_read(tmp_path):
    nibabel.save(nibabel.MGHImage(LABELS.T.astype(np.int32), np.eye(4)), tmp_path / "aseg.mgz")
    (tmp_path / "aseg.json").write_text('{"1": "liver", "2": "left kidney"}')
    assert read_labels(tmp_path / "aseg.mgz").names == NAMES


def layers(path, segments, fields=("Name", "LabelValue", "Layer")):
    """A segmentation of 3D Slicer: an axis of layers before those of space, as it writes them."""
    stack = np.zeros((*LABELS.shape, 2), np.uint8)
    lines = ["NRRD0004", "type: uint8", "dimension: 4", "space: left-posterior-superior"]
    lines += ["sizes: 2 6 5 4", "space directions: none (2,0,0) (0,3,0) (0,0,4)"]
    lines += ["kinds: list domain domain domain", "encoding: raw", "space origin: (1,2,3)"]
    for number, (name, value, layer, mask) in enumerate(segments):
        stack[..., layer][mask] = value
        values = {"Name": name, "LabelValue": value, "Layer": layer}
        lines += [f"Segment{number}_{field}:={values[field]}" for field in fields]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + stack.tobytes())
    return path


OUTER, INNER, ASIDE = (np.zeros(LABELS.shape, bool) for _ in range(3))
OUTER[:3, 1:5, 1:5], INNER[1:3, 2:4, 2:4], ASIDE[3, :2, :2] = True, True, True


@pytest.mark.parametrize("values", [(1, 1, 2), (1, 3, 2)])
def test_segments_of_several_layers_are_read_with_all_their_voxels(tmp_path, values):
    segments = [("body", values[0], 0, OUTER), ("tumor", values[1], 1, INNER)]
    path = layers(tmp_path / "a.seg.nrrd", [*segments, ("cyst", values[2], 0, ASIDE)])
    named = read_labels(path)
    masks = {name: named.mask_of(value).full() for value, name in named.names.items()}
    assert set(masks) == {"body", "tumor", "cyst"}
    assert (masks["body"] == OUTER).all()
    assert (masks["tumor"] == INNER).all()
    assert (masks["cyst"] == ASIDE).all()
    assert named.grid.spacing == (4, 3, 2)
    assert "overlap (body, tumor)" in named.notes[0]
    assert read_masks(path, named.grid).names == named.names


def test_segments_of_an_older_slicer_are_a_volume_each(tmp_path):
    segments = [("body", 1, 0, OUTER), ("tumor", 1, 1, INNER)]
    named = read_labels(layers(tmp_path / "a.seg.nrrd", segments, fields=("Name",)))
    assert (named.mask_of(1).full() == OUTER).all()
    assert (named.mask_of(2).full() == INNER).all()
    assert named.names == {1: "body", 2: "tumor"}
