"""DICOM files and series as a user meets them: read exactly, or refused with a remedy."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.frames import affine_from_lps
from napari_medvlm.data.volume import Modality, Window
from napari_medvlm.io.dicom.read import Gaps, list_series, read_dicom
from tests.io.dicom_files import dataset, save, write_series

DATA = np.random.default_rng(0).integers(-1000, 1500, (9, 7, 8)).astype(np.int16)
TURN = np.deg2rad(30)
COS, SIN = float(np.cos(TURN)), float(np.sin(TURN))
PLACED = {
    "PixelSpacing": [0.7, 0.9],
    "ImagePositionPatient": [5, -7, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
}


def sample(name):
    return Path(get_testdata_file(name, download=False))


def one(path, pixels=DATA[0], **values):
    save(dataset(pixels, **{**PLACED, **values}), path)
    return path


def edit(folder, change):
    """Let ``change(header, z)`` alter each slice of a series."""
    for path in folder.glob("*.dcm"):
        made = pydicom.dcmread(path)
        change(made, made.InstanceNumber - 1)
        made.save_as(path)


def remove(folder, *slices):
    for path in folder.glob("*.dcm"):
        if pydicom.dcmread(path).InstanceNumber - 1 in slices:
            path.unlink()


def by_itk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = affine_from_lps(image.GetDirection(), image.GetSpacing(), image.GetOrigin())
    return sitk.GetArrayFromImage(image), affine


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((1, 0, 0), (0, 1, 0)),
        ((0, 1, 0), (0, 0, -1)),
        ((1, 0, 0), (0, 0, -1)),
        ((1, 0, 0), (0, COS, SIN)),
        ((COS, SIN, 0), (-SIN * COS, COS * COS, SIN)),
    ],
    ids=["axial", "sagittal", "coronal", "oblique", "twice oblique"],
)
def test_a_shuffled_series_is_what_simpleitk_reads(tmp_path, row, column, reverse):
    step = np.cross(row, column) * (-2.5 if reverse else 2.5)
    write_series(tmp_path, DATA, row=row, column=column, step=step)
    volume = read_dicom(tmp_path)
    data, affine = by_itk(tmp_path)
    assert_array_equal(volume.data, data)
    assert_allclose(volume.affine, affine, atol=1e-4)
    assert_allclose(volume.spacing, (2.5, 0.7, 0.9), atol=1e-4)
    assert volume.notes == ()


def test_a_volume_has_modality_name_and_window_but_no_patient(tmp_path):
    write_series(tmp_path, DATA, WindowCenter=[40, 400], WindowWidth=[80, 900])
    volume = read_dicom(tmp_path)
    assert (volume.modality, volume.name, volume.source) == (Modality.CT, "AX", tmp_path)
    assert volume.window == Window(40, 80)
    nameless = read_dicom(one(tmp_path / "b" / "one.dcm", SeriesDescription=""))
    assert nameless.name == "CT series 3"


def test_a_single_slice_has_the_thickness_of_its_header(tmp_path):
    assert read_dicom(one(tmp_path / "a.dcm", SliceThickness=4)).spacing == (4, 0.7, 0.9)
    apart = {"SliceThickness": 4, "SpacingBetweenSlices": 5}
    assert read_dicom(one(tmp_path / "b.dcm", **apart)).spacing == (5, 0.7, 0.9)
    assert read_dicom(one(tmp_path / "c.dcm")).spacing == (1, 0.7, 0.9)


def test_a_tilted_gantry_keeps_its_shear_and_says_so(tmp_path):
    tilt = np.deg2rad(12)
    write_series(tmp_path, DATA, step=(0, 2.5 * np.tan(tilt), 2.5))
    volume = read_dicom(tmp_path)
    assert "gantry tilt of 12.0 degrees: the slices are sheared" in volume.notes[0]
    assert_allclose(volume.affine[:3, 0], (2.5, 2.5 * np.tan(tilt), 0), atol=1e-6)


# Which series, which volume


def test_several_series_are_offered_and_found_by_uid_number_or_description(tmp_path):
    uid = write_series(tmp_path / "a", DATA, SeriesDescription="T1 AX", SeriesNumber=2)
    write_series(tmp_path / "b", DATA[:4], SeriesDescription="T2 AX", SeriesNumber=5)
    (tmp_path / "notes.txt").write_text("not an image")
    one(tmp_path / "seg.dcm", Modality="SEG")
    save_report(tmp_path / "report.dcm")
    listed = ["2: T1 AX (CT, 9 images)", "5: T2 AX (CT, 4 images)"]
    assert [str(info) for info in list_series(tmp_path)] == listed
    with pytest.raises(InvalidImage, match="holds 2 series: 2: T1 AX") as reported:
        read_dicom(tmp_path)
    assert "series=" in reported.value.hint
    for name in (uid, "2", "t1"):
        assert read_dicom(tmp_path, series=name).shape == (9, 7, 8)
    with pytest.raises(InvalidImage, match="'ax' matches 2 of the 2 series"):
        read_dicom(tmp_path, series="ax")
    with pytest.raises(InvalidImage, match=r"'flair' matches none .* 5: T2 AX"):
        read_dicom(tmp_path, series="flair")


def save_report(path):
    report = pydicom.dcmread(sample("test-SR.dcm"))
    report.save_as(path)


VARIES = [
    ("EchoTime", [30.0, 10.0], "10, 30"),
    ("TemporalPositionIdentifier", [2, 1], "1, 2"),
    ("AcquisitionNumber", [7, 4], "4, 7"),
    ("DiffusionBValue", [1000.0, 0.0], "0, 1000"),
    ("TriggerTime", [500.0, 20.0], "20, 500"),
    ("ImageType", [["ORIGINAL", "PRIMARY", "P"], ["ORIGINAL", "PRIMARY", "M"]], "ORIGINAL"),
]


@pytest.mark.parametrize(("keyword", "values", "shown"), VARIES, ids=[v[0] for v in VARIES])
def test_volumes_at_one_place_are_distinguished_by_what_varies(tmp_path, keyword, values, shown):
    uid = generate_uid()
    for i, value in enumerate(values):
        varying = {keyword: value, "SeriesInstanceUID": uid}
        write_series(tmp_path / str(i), DATA + 10 * i, **varying)
    with pytest.raises(InvalidImage, match=f"2 volumes of 9 slices differ in {keyword}: {shown}"):
        read_dicom(tmp_path)
    assert_array_equal(read_dicom(tmp_path, frame=0).data, DATA + 10)
    assert_array_equal(read_dicom(tmp_path, frame=1).data, DATA)
    with pytest.raises(InvalidImage, match="no volume 2") as reported:
        read_dicom(tmp_path, frame=2)
    assert "frame=0 to frame=1" in reported.value.hint


def test_two_things_may_vary_at_once(tmp_path):
    uid = generate_uid()
    for i, (echo, b) in enumerate([(10.0, 0.0), (10.0, 500.0), (20.0, 0.0), (20.0, 500.0)]):
        varying = {"EchoTime": echo, "DiffusionBValue": b, "SeriesInstanceUID": uid}
        write_series(tmp_path / str(i), DATA + i, **varying)
    with pytest.raises(InvalidImage, match="4 volumes .* EchoTime and DiffusionBValue: 10 with 0"):
        read_dicom(tmp_path)
    assert_array_equal(read_dicom(tmp_path, frame=2).data, DATA + 2)


def test_volumes_that_differ_in_nothing_else_go_by_instance_number(tmp_path):
    uid = generate_uid()
    for i in range(2):
        write_series(tmp_path / str(i), DATA + i, SeriesInstanceUID=uid)
        edit(tmp_path / str(i), lambda made, z, i=i: setattr(made, "InstanceNumber", 9 * i + z + 1))
    with pytest.raises(InvalidImage, match="InstanceNumber: 1 to 9, 10 to 18"):
        read_dicom(tmp_path)
    assert_array_equal(read_dicom(tmp_path, frame=1).data, DATA + 1)


def test_slices_that_repeat_unevenly_are_reported(tmp_path):
    uid = write_series(tmp_path, DATA)
    write_series(tmp_path / "again", DATA[:2], SeriesInstanceUID=uid)
    with pytest.raises(InvalidImage, match="2 of 9 slice positions occur more than once"):
        read_dicom(tmp_path)


def test_a_second_copy_of_a_file_does_no_harm(tmp_path):
    write_series(tmp_path, DATA)
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "000.dcm").read_bytes())
    assert_array_equal(read_dicom(tmp_path).data, DATA)


def test_there_is_no_second_volume_of_one(tmp_path):
    write_series(tmp_path, DATA)
    assert read_dicom(tmp_path, frame=0).shape == DATA.shape
    with pytest.raises(InvalidImage, match="no volume 1"):
        read_dicom(tmp_path, frame=1)


@pytest.mark.parametrize(
    ("data", "change", "message"),
    [
        (DATA[:2], {"row": (0, 1, 0), "column": (0, 0, -1)}, "2 orientations .*: 9 and 2"),
        (DATA[:2, :5], {}, "different sizes: 9 of 7 x 8, 2 of 5 x 8 pixels"),
    ],
    ids=["orientation", "size"],
)
def test_localizers_in_a_series_are_reported_with_their_files(tmp_path, data, change, message):
    uid = write_series(tmp_path, DATA)
    write_series(tmp_path / "other", data, SeriesInstanceUID=uid, **change)
    with pytest.raises(InvalidImage, match=message) as reported:
        read_dicom(tmp_path)
    assert "000.dcm, 001.dcm" in reported.value.hint


# Gaps


def test_missing_slices_are_refused_filled_or_left_out(tmp_path):
    write_series(tmp_path, DATA)
    remove(tmp_path, 3, 4)
    with pytest.raises(
        InvalidImage, match=r"2 slices are missing between 35\.0 and 42\.5"
    ) as reported:
        read_dicom(tmp_path)
    assert "gaps='fill'" in reported.value.hint
    assert "gaps='largest'" in reported.value.hint
    filled = read_dicom(tmp_path, gaps=Gaps.FILL)
    kept = [0, 1, 2, 5, 6, 7, 8]
    assert_array_equal(filled.data[kept], DATA[kept])
    assert_allclose(filled.data[3], DATA[2] * 2 / 3 + DATA[5] / 3, atol=0.51)
    assert filled.data.dtype == DATA.dtype
    assert_allclose(filled.affine[:3, 0], (2.5, 0, 0), atol=1e-9)
    assert "filled in linearly" in filled.notes[0]
    largest = read_dicom(tmp_path, gaps=Gaps.LARGEST)
    assert_array_equal(largest.data, DATA[5:])
    assert_allclose(largest.affine[:3, 3], (42.5, -7, 5))
    assert "4 of 7 slices" in largest.notes[0]


def test_two_gaps_are_counted_together_even_if_few_slices_are_left(tmp_path):
    write_series(tmp_path, DATA)
    remove(tmp_path, 1, 3, 4, 6)
    with pytest.raises(InvalidImage, match="4 slices are missing in 3 gaps, the first between 30"):
        read_dicom(tmp_path)


def test_uneven_slices_are_refused_or_resampled(tmp_path):
    write_series(tmp_path, np.arange(9)[:, None, None] * np.full((1, 7, 8), 100))
    edit(tmp_path, lambda made, z: place(made, 30 + 2.5 * z + 1.0 * (z > 5)))
    with pytest.raises(InvalidImage, match=r"unevenly spaced, from 2\.50 to 3\.50 mm"):
        read_dicom(tmp_path)
    volume = read_dicom(tmp_path, gaps=Gaps.FILL)
    assert volume.spacing[0] == pytest.approx(2.5)
    assert volume.data[:6, 0, 0].tolist() == [0, 100, 200, 300, 400, 500]
    assert volume.data[6, 0, 0] == round(500 + 100 * 2.5 / 3.5)
    assert "resampled linearly to 2.50 mm" in volume.notes[0]
    assert read_dicom(tmp_path, gaps=Gaps.LARGEST).data[:, 0, 0].tolist() == list(
        range(0, 600, 100)
    )


def place(made, z_mm):
    made.ImagePositionPatient = [5, -7, z_mm]


def test_positions_rounded_by_the_scanner_are_even(tmp_path):
    write_series(tmp_path, DATA, step=(0, 0, 0.625))
    edit(tmp_path, lambda made, z: place(made, round(30 + 0.625 * z, 1)))
    assert read_dicom(tmp_path).spacing[0] == pytest.approx(0.625)


def test_slices_that_jump_sideways_are_reported(tmp_path):
    write_series(tmp_path, DATA)
    edit(
        tmp_path,
        lambda made, z: setattr(made, "ImagePositionPatient", [5 + 9 * (z == 4), -7, 30 + z]),
    )
    with pytest.raises(InvalidImage, match=r"shifted against each other, by up to 9\.0 mm"):
        read_dicom(tmp_path)
