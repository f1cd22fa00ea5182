"""Cases whose truth is a DICOM structure set or segmentation, or a segmentation of 3D Slicer."""

import shutil

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.data.errors import GeometryMismatch
from napari_medvlm.evaluation.ground import cases as ground
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.datasets import find_cases
from napari_medvlm.io import Segment, write_segments
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series
from tests.io.test_embedded_names import ASIDE, INNER, LABELS, OUTER, layers

DATA = np.random.default_rng(1).integers(0, 400, (6, 16, 16)).astype(np.int16)
BODY, TUMOR = np.zeros((2, *DATA.shape), bool)
BODY[1:5, 2:14, 2:14], TUMOR[2:4, 5:9, 6:11] = True, True
SEGMENTS = {1: Segment("body"), 2: Segment("tumor")}


def series(folder, number=3):
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(folder, DATA, **uids, **{**PATIENT, "PatientID": folder.name}, SeriesNumber=number)
    return nmv.read_volume(folder)


def check(case):
    loaded = load(case)
    truths = {s.name: loaded.truth(s) for s in loaded.structures}
    assert np.array_equal(truths["body"], BODY)
    assert np.array_equal(truths["tumor"], TUMOR)
    assert np.array_equal(loaded.volume.data, DATA)


@pytest.mark.parametrize("ending", [".rtstruct.dcm", ".dcm", ".seg.dcm"])
def test_objects_that_overlap_are_the_truth_with_all_their_voxels(tmp_path, ending):
    (tmp_path / "labels").mkdir()
    for name in ("a", "b"):
        volume = series(tmp_path / "images" / name)
        path = tmp_path / "labels" / f"{name}{ending}"
        write_segments(path, {1: BODY, 2: TUMOR}, volume, SEGMENTS)
    found = find_cases(Layout.PAIRS, tmp_path / "images", tmp_path / "labels")
    assert [case.name for case in found.cases] == ["a", "b"]
    assert not found.skipped
    for case in found.cases:
        check(case)


@pytest.mark.parametrize("ending", [".rtstruct.dcm", ".dcm"])
def test_a_folder_of_each_patient_holds_series_and_objects(tmp_path, ending):
    for name in ("a", "b"):
        volume = series(tmp_path / name / "CT")
        write_segments(tmp_path / name / f"x{ending}", {1: BODY, 2: TUMOR}, volume, SEGMENTS)
        series(tmp_path / name / "another", number=4)  # the objects were drawn on the first
    series(tmp_path / "c" / "CT")
    found = find_cases(Layout.PAIRS, tmp_path)
    assert [case.name for case in found.cases] == ["a", "b"]
    assert "needs one DICOM segmentation or structure set and has none" in found.skipped[0].reason
    for case in found.cases:
        check(case)


def test_objects_of_another_patient_are_refused(tmp_path):
    volume = series(tmp_path / "images" / "a")
    (tmp_path / "labels").mkdir()
    write_segments(tmp_path / "labels" / "a.dcm", {1: BODY}, volume, SEGMENTS)
    for file in (tmp_path / "images" / "a").iterdir():
        header = dcmread(file)
        header.PatientID = "somebody else"
        header.save_as(file)
    (case,) = find_cases(Layout.PAIRS, tmp_path / "images", tmp_path / "labels").cases
    with pytest.raises(GeometryMismatch, match="another Patient ID"):
        load(case)


def test_rois_of_one_name_are_one_structure(tmp_path):
    volume = series(tmp_path / "images" / "a")
    (tmp_path / "labels").mkdir()
    twice = {1: Segment("node"), 2: Segment("node")}
    write_segments(tmp_path / "labels" / "a.dcm", {1: TUMOR, 2: BODY & ~TUMOR}, volume, twice)
    loaded = load(find_cases(Layout.PAIRS, tmp_path / "images", tmp_path / "labels").cases[0])
    (structure,) = loaded.structures
    assert np.array_equal(loaded.truth(structure), BODY)


def test_layers_of_3d_slicer_are_the_truth(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    segments = [("body", 1, 0, OUTER), ("tumor", 1, 1, INNER), ("cyst", 2, 0, ASIDE)]
    path = layers(tmp_path / "labels" / "a.seg.nrrd", segments)
    grid = nmv.read_volume(path, frame=0).grid
    nmv.write_mask(tmp_path / "images" / "a.nii.gz", LABELS, nmv.Volume(LABELS, grid.affine))
    (case,) = find_cases(Layout.PAIRS, tmp_path / "images", tmp_path / "labels").cases
    loaded = load(case)
    truths = {s.name: loaded.truth(s) for s in loaded.structures}
    assert np.array_equal(truths["body"], OUTER)
    assert np.array_equal(truths["tumor"], INNER)


def test_regions_of_a_grounding_evaluation_overlap(tmp_path):
    volume = series(tmp_path / "images" / "a")
    path = tmp_path / "a.rtstruct.dcm"
    write_segments(path, {1: BODY, 2: TUMOR}, volume, SEGMENTS)
    shutil.copytree(tmp_path / "images" / "a", tmp_path / "image")
    loaded = ground.load(ground.Case(name="a", images=(tmp_path / "image",), labels=path))
    voxels = {region.phrase: region.mask.voxels for region in loaded.wanted}
    assert voxels == {"body": BODY.sum(), "tumor": TUMOR.sum()}
