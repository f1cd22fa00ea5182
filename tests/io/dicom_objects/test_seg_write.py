"""Objects go to DICOM and come back at the same voxels; a validator has nothing against them."""

from __future__ import annotations

import subprocess
import sys

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.data.geometry.grid import Grid, placed
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.io.dicom_objects.coded_terms import search, term_for
from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg
from napari_medvlm.io.dicom_objects.seg_write import content_description
from napari_medvlm.io.label_images import read_labels


def two_objects(volume):
    labels = np.zeros(volume.shape, np.uint8)
    labels[2:4, 3:10, 4:20] = 1
    labels[6, 12:18, 2:9] = 2  # slices 4, 5 and 7 are empty
    return labels


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_a_validator_finds_no_error(volume, tmp_path):
    path = tmp_path / "seg.dcm"
    segments = {1: Segment("left kidney", "#ff0000", algorithm="embedded"), 2: Segment("cyst")}
    nmv.write_mask(path, two_objects(volume), volume, segments)
    reported = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    )
    assert reported.stderr.strip().endswith("Segmentation")
    assert "Error" not in reported.stderr


def test_every_voxel_comes_back(volume, tmp_path):
    path, labels = tmp_path / "seg.dcm", two_objects(volume)
    reported = {1: Segment("left kidney", "#ff8000"), 2: Segment("cyst")}
    nmv.write_mask(path, labels, volume, reported)
    back = read_labels(path)
    assert back.names == {1: "left kidney", 2: "cyst"}
    assert list(back.colors) == [1]
    near = [int(back.colors[1][i : i + 2], 16) for i in (1, 3, 5)]
    assert np.abs(np.array(near) - (255, 128, 0)).max() <= 2
    on_image = placed(back.values, back.grid, volume.grid)
    assert np.array_equal(on_image, labels)


def test_frames_lie_at_the_right_place_for_others(volume, tmp_path):
    path, labels = tmp_path / "seg.dcm", two_objects(volume)
    nmv.write_mask(path, labels, volume)
    theirs = sitk.ReadImage(str(path))
    frames = sitk.GetArrayFromImage(theirs)
    header = pydicom.dcmread(path)
    places = [
        f.PlanePositionSequence[0].ImagePositionPatient
        for f in header.PerFrameFunctionalGroupsSequence
    ]
    for frame, place in zip(frames, places, strict=True):
        z, y, x = volume.grid.to_index(np.array(place, float)[::-1]).round().astype(int)
        assert (y, x) == (0, 0)
        assert np.array_equal(frame > 0, labels[z] > 0)


def test_file_names_structure_patient_and_series(volume, tmp_path):
    path = tmp_path / "seg.dcm"
    reported = Segment("left kidney", "#ff0000", algorithm="sam sam_vit_b.pth", version="01ec64")
    nmv.write_mask(path, two_objects(volume) == 1, volume, {1: reported})
    made = hd.seg.segread(path)
    described = made.get_segment_description(1)
    assert described.segmented_property_type.meaning == "Kidney"
    assert described.segmented_property_type.value == "64033007"
    (side,) = described.SegmentedPropertyTypeCodeSequence[
        0
    ].SegmentedPropertyTypeModifierCodeSequence
    assert side.CodeMeaning == "Left"
    assert described.algorithm_identification.name == "sam sam_vit_b.pth"
    assert described.algorithm_identification.version == "01ec64"
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == volume.series
    assert made.PatientID == "1"


def test_objects_may_overlap(volume, tmp_path):
    one, two = np.zeros((2, *volume.shape), bool)
    one[2:5, 2:9, 2:9], two[3:6, 5:12, 5:12] = True, True
    write_segments(tmp_path / "seg.dcm", {1: one, 2: two}, volume)
    found = hd.seg.segread(tmp_path / "seg.dcm").get_volume()
    assert found.array[..., 0].sum() == one.sum()
    assert found.array[..., 1].sum() == two.sum()


def test_a_label_map_states_the_same_of_objects_that_do_not_overlap(volume, tmp_path):
    path, labels = tmp_path / "seg.labelmap.dcm", two_objects(volume)
    nmv.write_mask(path, labels, volume, {1: Segment("left kidney", "#ff8000"), 2: Segment("cyst")})
    assert pydicom.dcmread(path).SegmentationType == "LABELMAP"
    back = read_labels(path)
    assert back.names == {1: "left kidney", 2: "cyst"}
    assert np.array_equal(placed(back.values, back.grid, volume.grid), labels)
    described = hd.seg.segread(path).get_segment_description(1)
    assert described.segmented_property_type.meaning == "Kidney"
    one, two = labels == 1, labels > 0
    with pytest.raises(CannotSave, match="Objects overlap"):
        write_segments(tmp_path / "b.labelmap.dcm", {1: one, 2: two}, volume)


def test_masks_that_dicom_cannot_hold_are_refused(volume, tmp_path):
    with pytest.raises(CannotSave, match="all objects are empty"):
        nmv.write_mask(tmp_path / "s.dcm", np.zeros(volume.shape, bool), volume)
    plain = nmv.Volume(np.arange(8.0).reshape(2, 2, 2), name="phantom")
    with pytest.raises(CannotSave, match="phantom was not read from a DICOM series"):
        nmv.write_mask(tmp_path / "s.dcm", plain.data > 3, plain)
    for file in volume.source.iterdir():
        file.unlink()
    with pytest.raises(CannotSave, match="no longer where they were"):
        nmv.write_mask(tmp_path / "s.dcm", two_objects(volume), volume)
    assert not list(tmp_path.glob("*.dcm"))


def test_a_damaged_segmentation_is_reported(volume, tmp_path):
    path = tmp_path / "seg.dcm"
    nmv.write_mask(path, two_objects(volume), volume)
    made = pydicom.dcmread(path)
    del made.SharedFunctionalGroupsSequence
    made.save_as(path)
    assert is_seg(path)
    with pytest.raises(InvalidImage, match="cannot be read as a DICOM segmentation"):
        read_seg(path)


def test_terms_are_found_by_words_and_by_name():
    assert [str(t) for t in search("lateral ventricle")] == ["Lateral Ventricle (SCT 66720007)"]
    assert str(term_for("Right Kidney")) == "Right Kidney (SCT 64033007)"
    assert term_for("lesion").category.meaning == "Morphologically Abnormal Structure"
    assert term_for("whatever this is").kind.meaning == "Tissue"
    assert search(" ") == ()


@pytest.mark.parametrize("words", ["left kidney", "right lung", "tumour", "lobe", "left ventricle"])
def test_a_name_that_was_chosen_from_the_list_has_its_code(words):
    for term in search(words):
        found = term_for(f"{term.name} 2")
        assert str(found).lower() == str(term).lower()
        assert found.category == term.category


@given(
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    offset=st.tuples(*[st.integers(-4, 4)] * 3),
    seed=st.integers(0, 9),
)
def test_values_go_to_the_same_voxels_of_another_grid(order, flips, offset, seed):
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0] * [0.7, 1.3, 2.9]
    source = Grid((3, 4, 5), np.block([[turn, np.array([[5.0], [-3], [8]])], [np.zeros(3), 1]]))
    values = random.integers(1, 9, source.shape)
    steps = np.eye(3)[:, order] * np.where(flips, -1, 1)
    start = np.array([2, 1, 3]) + offset
    target = Grid(
        (6, 7, 8),
        np.block([[turn @ steps, source.to_world(start)[:, None]], [np.zeros(3), 1]]),
    )
    there = placed(values, source, target)
    for zyx in np.ndindex(*target.shape):
        at = source.to_index(target.to_world(zyx)).round().astype(int)
        inside = (at >= 0).all() and (at < source.shape).all()
        assert there[zyx] == (values[tuple(at)] if inside else 0)


def test_other_voxels_are_not_placed():
    source = Grid((3, 4, 5), np.eye(4))
    for shift in (0.3, 0.02):
        moved = np.eye(4)
        moved[0, 3] = shift
        assert placed(np.ones((3, 4, 5)), source, Grid((3, 4, 5), moved)) is None
    assert placed(np.ones((3, 4, 5)), source, Grid((3, 4, 5), np.diag([1, 1, 1.5, 1]))) is None


def test_the_content_description_has_whole_names_in_64_bytes():
    assert content_description(["liver", "spleen"]) == "liver, spleen"
    listed = content_description([f"Žlučník {n}" for n in range(20)])
    assert listed == "Žlučník 0, Žlučník 1, Žlučník 2 and 17 more"
    assert content_description(["肝臓" * 20, "脾臓"]) == "2 segments"
