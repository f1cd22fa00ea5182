"""Objects go to DICOM as outlines and come back at the same voxels, from others too."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.io.dicom_objects.rtstruct_read import (
    is_rtstruct,
    read_on_series,
    read_rtstruct,
    read_structure_set,
    series_of,
)
from napari_medvlm.io.dicom_objects.seg_read import read_seg
from napari_medvlm.io.label_images import read_labels, read_masks
from tests.io.conftest import PATIENT
from tests.io.dicom_files import enhanced, write_series

TOLD = {
    1: Segment("left kidney", "#ff8000", algorithm="embedded", version="1"),
    7: Segment("cyst", algorithm="by hand"),
}


def two_objects(volume):
    """A ring with a dot in it that touches at corners, and another object that overlaps it."""
    ring, other = np.zeros((2, *volume.shape), bool)
    ring[2:4, 3:12, 4:20] = True
    ring[2:4, 5:10, 6:18] = False
    ring[2:4, 6:8, 8:10] = np.eye(2)
    other[3, 2:6, 2:9] = True
    other[6, 19, 23] = True
    return {1: ring, 7: other}


@pytest.fixture
def written(volume, tmp_path):
    path = tmp_path / "x.rtstruct.dcm"
    write_segments(path, two_objects(volume), volume, TOLD)
    return path


def test_every_voxel_comes_back_with_names_and_colours(volume, written):
    back = read_structure_set(written, volume.grid)
    assert {n: (roi.name, roi.color) for n, roi in back.rois.items()} == {
        1: ("left kidney", "#ff8000"),
        7: ("cyst", ""),
    }
    for number, mask in two_objects(volume).items():
        assert np.array_equal(back.rois[number].mask.full(), mask)
    assert back.notes == ()


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_a_validator_finds_no_error(written):
    reported = subprocess.run(
        ["dciodvfy", "-new", written], capture_output=True, text=True, check=False
    )
    assert reported.stderr.strip().endswith("RTStructureSet")
    assert "Error" not in reported.stderr


def contours(made):
    for roi in made.ROIContourSequence:
        yield from roi.ContourSequence


def test_contours_lie_in_the_slices_that_they_name(volume, written):
    made = pydicom.dcmread(written)
    files = {pydicom.dcmread(f).SOPInstanceUID: f for f in volume.source.iterdir()}
    for contour in contours(made):
        (image,) = contour.ContourImageSequence
        theirs = sitk.ReadImage(str(files[image.ReferencedSOPInstanceUID]))
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(points)
        for point in points:
            x, y, z = theirs.TransformPhysicalPointToContinuousIndex(point)
            assert z == pytest.approx(0, abs=1e-5)
            assert (x % 1, y % 1) == pytest.approx((0.5, 0.5), abs=1e-5)


def test_the_millilitres_inside_the_contours_are_those_of_the_mask(volume, written):
    made = pydicom.dcmread(written)
    for mask, roi in zip(two_objects(volume).values(), made.ROIContourSequence, strict=True):
        areas = 0.0
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            points -= points[0]
            around = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
            areas += np.linalg.norm(around) / 2
        _, y, x = volume.spacing
        assert areas == pytest.approx(mask.sum() * y * x, rel=1e-6)


def test_file_names_structure_patient_and_series(volume, written):
    made = pydicom.dcmread(written)
    first = pydicom.dcmread(next(volume.source.iterdir()))
    assert (made.PatientName, made.PatientID) == (first.PatientName, "1")
    assert made.StudyInstanceUID == first.StudyInstanceUID
    (frame,) = made.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert series_of(written) == (volume.series,)
    images = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    assert len(images) == volume.shape[0]
    kidney, cyst = made.RTROIObservationsSequence
    assert kidney.RTROIIdentificationCodeSequence[0].CodeValue == "64033007"
    assert (kidney.RTROIInterpretedType, cyst.RTROIInterpretedType) == ("ORGAN", "")
    ways = [roi.ROIGenerationAlgorithm for roi in made.StructureSetROISequence]
    assert ways == ["SEMIAUTOMATIC", "MANUAL"]
    assert made.StructureSetROISequence[0].ROIGenerationDescription == "embedded 1"


def test_the_command_line_writes_and_measures_it(volume, tmp_path):
    out = tmp_path / "x.rtstruct.dcm"
    point = ["--point", "4,10,12", "--out"]
    for path in (out, tmp_path / "x.dcm"):
        done = CliRunner().invoke(app, ["segment", str(volume.source), *point, str(path)])
        assert done.exit_code == 0, done.output
    assert is_rtstruct(out)
    seg = read_masks(tmp_path / "x.dcm", volume.grid)
    assert np.array_equal(read_masks(out, volume.grid).values, seg.values)
    reported = ["measure", str(volume.source), "--json", "--mask"]
    ways = [CliRunner().invoke(app, [*reported, str(p)]) for p in (out, tmp_path / "x.dcm")]
    first, second = (json.loads(way.stdout)["objects"] for way in ways)
    assert first == second


def test_its_series_is_found_among_those_open_or_beside_it(volume, written):
    assert read_on_series(written, {volume.series: volume.grid}).names[1] == "left kidney"
    with pytest.raises(InvalidImage, match="holds outlines on a series that is not open"):
        read_on_series(written, {"1.2": volume.grid})
    with pytest.raises(InvalidImage, match="no voxels of their own"):
        read_labels(written)
    moved = written.rename(volume.source / written.name)
    assert read_on_series(moved, {}).grid.shape == volume.shape


def test_frames_of_one_file_are_named_by_their_number(tmp_path):
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    values = {**uids, **PATIENT, "FrameOfReferenceUID": generate_uid()}
    enhanced(tmp_path / "ct.dcm", np.arange(60).reshape(3, 4, 5), **values)
    volume = nmv.read_volume(tmp_path / "ct.dcm")
    mask = np.zeros(volume.shape, bool)
    mask[1, 1, 2] = True
    path = tmp_path / "x.rtstruct.dcm"
    nmv.write_mask(path, mask, volume)
    (contour,) = contours(pydicom.dcmread(path))
    assert contour.ContourImageSequence[0].ReferencedFrameNumber == 2
    assert np.array_equal(read_rtstruct(path, volume.grid).values == 1, mask)


def test_masks_that_dicom_cannot_hold_are_refused(volume, tmp_path):
    path = tmp_path / "x.rtstruct.dcm"
    with pytest.raises(CannotSave, match="all objects are empty"):
        nmv.write_mask(path, np.zeros(volume.shape, bool), volume)
    plain = nmv.Volume(np.arange(8.0).reshape(2, 2, 2), name="phantom")
    with pytest.raises(CannotSave, match="phantom was not read from a DICOM series"):
        nmv.write_mask(path, plain.data > 3, plain)
    assert not path.exists()


@pytest.fixture(scope="module")
def slanted(tmp_path_factory):
    """A small series that lies askew, its slices from head to foot, far from the origin."""
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    normal = np.cross(turned[0], turned[1])
    folder = tmp_path_factory.mktemp("slanted")
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(
        folder / "series", np.zeros((3, 6, 7), np.int16) + np.arange(7, dtype=np.int16),
        origin=(-912.3, 655.1, -1411.7), row=turned[0], column=turned[1], step=-3.1 * normal,
        **uids, **PATIENT,
    )  # fmt: skip
    return nmv.read_volume(folder / "series")


@settings(max_examples=25, deadline=None)
@given(masks=arrays(bool, (2, 3, 6, 7)).filter(lambda m: m.any(axis=(1, 2, 3)).all()))
def test_any_masks_come_back_from_a_slanted_series(slanted, masks):
    path = slanted.source.parent / "x.rtstruct.dcm"
    write_segments(path, {1: masks[0], 2: masks[1]}, slanted)
    back = read_structure_set(path, slanted.grid)
    for number, mask in enumerate(masks, 1):
        assert np.array_equal(back.rois[number].mask.full(), mask)


def changed(path, change):
    made = pydicom.dcmread(path)
    change(made)
    made.save_as(path)
    return path


def first_contour(made):
    return made.ROIContourSequence[0].ContourSequence[0]


def shifted(contour, slices, grid, first_only=False):
    points = np.array(contour.ContourData, float).reshape(-1, 3)
    points[: 1 if first_only else None] += slices * grid.affine[:3, 0][::-1]
    contour.ContourData = [f"{v:.10g}" for v in points.ravel()]


def points_lost(made):
    first_contour(made).ContourData = first_contour(made).ContourData[:-1]


def set_kind(made, kind):
    first_contour(made).ContourGeometricType = kind


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda made, grid: set_kind(made, "POINT"), "a single point, left out"),
        (lambda made, grid: set_kind(made, "OPEN_PLANAR"), r"not closed \(OPEN_PLANAR\)"),
        (
            lambda made, grid: shifted(first_contour(made), 1, grid, True),
            "not in a plane of the image",
        ),
        (lambda made, grid: points_lost(made), "without readable points"),
        (lambda made, grid: shifted(first_contour(made), 90, grid), "outside the image"),
    ],
)
def test_contours_that_cannot_be_taken_are_left_out_and_reported(volume, written, change, note):
    changed(written, lambda made: change(made, volume.grid))
    back = read_structure_set(written, volume.grid)
    (reported,) = back.notes
    assert reported.startswith("1 contour of left kidney: ")
    assert re.search(note, reported)
    assert np.array_equal(back.rois[7].mask.full(), two_objects(volume)[7])
    assert back.rois[1].mask.voxels < two_objects(volume)[1].sum()


def test_contours_between_slices_count_for_the_nearest_unless_one_is_nearer(volume, written):
    def drawn_twice_as_often(made):
        ring, dots = made.ROIContourSequence
        between = [copy.deepcopy(contour) for contour in ring.ContourSequence]
        for contour in between:
            shifted(contour, 0.4, volume.grid)
        ring.ContourSequence = [*ring.ContourSequence, *between]
        for contour in dots.ContourSequence:
            shifted(contour, -0.3, volume.grid)

    changed(written, drawn_twice_as_often)
    back = read_structure_set(written, volume.grid)
    for number, mask in two_objects(volume).items():
        assert np.array_equal(back.rois[number].mask.full(), mask)
    assert back.notes == (
        "6 contours of left kidney: further from its slice than another contour, left out.",
        "2 contours of cyst: between slices, assigned to the nearest slice.",
    )


@pytest.mark.parametrize(
    ("kind", "columns", "voxels", "note"),
    [
        ("CLOSED_PLANAR", (3.5, 3.5), 25, "the same as another contour, counted once"),
        ("CLOSED_PLANAR", (3.5, 6.5), 40, ""),
        ("CLOSEDPLANAR_XOR", (3.5, 6.5), 30, ""),
    ],
)
def test_two_squares_of_5_pixels_are_united_unless_they_are_of_the_xor_kind(
    volume, written, kind, columns, voxels, note
):
    def square_at(column):
        corners = [(8.5, column), (8.5, column + 5), (13.5, column + 5), (13.5, column)]
        spl = volume.grid.to_world([(2, y, x) for y, x in corners])
        contour = pydicom.Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = kind, 4
        contour.ContourData = [f"{v:.6g}" for v in spl[:, ::-1].ravel()]
        return contour

    def two_squares(made):
        made.ROIContourSequence[0].ContourSequence = [square_at(x) for x in columns]

    changed(written, two_squares)
    back = read_structure_set(written, volume.grid)
    assert back.rois[1].mask.voxels == voxels
    assert back.notes == ((f"1 contour of left kidney: {note}.",) if note else ())


def test_inner_contours_are_holes_and_the_order_does_not_matter(volume, written):
    def with_inner(made):
        outer = first_contour(made)
        plane = volume.grid.to_world(
            [[2, y, x] for y, x in ((2.5, 3.5), (2.5, 9.5), (9.5, 9.5), (9.5, 3.5))]
        )
        inner = volume.grid.to_world(
            [[2, y, x] for y, x in ((4.5, 5.5), (4.5, 7.5), (7.5, 7.5), (7.5, 5.5))]
        )
        roi = made.ROIContourSequence[0]
        kept = []
        for points in (inner, plane):
            contour = pydicom.Dataset()
            contour.ContourGeometricType = outer.ContourGeometricType
            contour.NumberOfContourPoints = 4
            contour.ContourData = [f"{v:.6g}" for v in points[:, ::-1].ravel()]
            kept.append(contour)
        roi.ContourSequence = kept
        made.ROIContourSequence = list(made.ROIContourSequence)[::-1]

    changed(written, with_inner)
    expected = np.zeros(volume.shape, bool)
    expected[2, 3:10, 4:10] = True
    expected[2, 5:8, 6:8] = False
    back = read_structure_set(written, volume.grid)
    assert np.array_equal(back.rois[1].mask.full(), expected)
    assert back.notes == ("1 contour of left kidney: inside another contour, read as a hole.",)


@pytest.mark.parametrize("part", [0.03, 0.1, 0.4, 0.7, 0.9])
def test_a_file_that_is_cut_off_is_reported(volume, written, part):
    content = written.read_bytes()
    written.write_bytes(content[: int(part * len(content))])
    try:
        reported = read_rtstruct(written, volume.grid).notes[0]
    except InvalidImage as error:
        reported = error.message
    assert re.search(r"is damaged|holds no|lies in the image|may be cut off", reported)


def test_another_image_or_kind_of_file_is_reported(volume, written, tmp_path):
    far = np.array(volume.affine)
    far[:3, 3] += 5000
    with pytest.raises(InvalidImage, match="No contour of x.rtstruct.dcm lies in the image"):
        read_rtstruct(written, Grid(volume.shape, far))
    write_segments(tmp_path / "seg.dcm", two_objects(volume), volume, TOLD)
    with pytest.raises(InvalidImage, match="holds no structure set"):
        read_rtstruct(tmp_path / "seg.dcm", volume.grid)
    assert read_seg(tmp_path / "seg.dcm").names == {1: "left kidney", 2: "cyst"}


def test_a_structure_set_of_a_planning_system_is_read_and_its_points_are_reported():
    path = Path(get_testdata_file("rtstruct.dcm", download=False))
    affine = np.diag([10.0, 5, 5, 1])
    affine[:3, 3] = -300, -200, -250
    back = read_rtstruct(path, Grid((60, 80, 100), affine))
    assert back.names == {1: "patient"}
    z, y, x = np.nonzero(back.values)
    assert ((y.min(), y.max()), (x.min(), x.max())) == ((10, 70), (10, 90))
    assert len(set(z)) == len(range(z.min(), z.max() + 1))
    assert back.notes[:2] == (
        "1 contour of Isocenter 1: a single point, left out.",
        "Isocenter 1 has no voxel in the image and is left out.",
    )


def test_regions_in_each_other_keep_all_their_voxels(volume, written):
    named = read_masks(written, volume.grid)
    for number, mask in two_objects(volume).items():
        assert np.array_equal(named.mask_of(number).full(), mask)
    assert named.notes == (
        "Regions of x.rtstruct.dcm overlap (left kidney, cyst). Where they do, the smallest is "
        "drawn; each is measured and saved with all its voxels.",
    )
    table = CliRunner().invoke(
        app, ["measure", str(volume.source), "--mask", str(written), "--json"]
    )
    objects = json.loads(table.stdout)["objects"]
    assert {o["name"]: o["voxels"] for o in objects} == {
        "left kidney": int(two_objects(volume)[1].sum()),
        "cyst": int(two_objects(volume)[7].sum()),
    }
