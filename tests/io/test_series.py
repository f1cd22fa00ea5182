"""DICOM as scanners and archives write it."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from napari_medvlm.errors import InvalidImage, MedVLMError
from napari_medvlm.geometry import affine_from_lps
from napari_medvlm.io import Gaps, read_volume
from napari_medvlm.io.series import list_series
from napari_medvlm.volume import Modality, Window
from tests.io.dicom_files import dataset, enhanced, save, write_series

DATA = np.random.default_rng(0).integers(-1000, 1500, (9, 7, 8)).astype(np.int16)
TURN = np.deg2rad(30)


def by_itk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = affine_from_lps(image.GetDirection(), image.GetSpacing(), image.GetOrigin())
    return sitk.GetArrayFromImage(image), affine


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((1, 0, 0), (0, 1, 0)),
        ((0, 1, 0), (0, 0, -1)),
        ((1, 0, 0), (0, 0, -1)),
        ((1, 0, 0), (0, np.cos(TURN), np.sin(TURN))),
    ],
    ids=["axial", "sagittal", "coronal", "oblique"],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_series_lies_where_simpleitk_puts_it(tmp_path, row, column, reverse):
    step = np.cross(row, column) * (-2.5 if reverse else 2.5)
    write_series(tmp_path, DATA, row=row, column=column, step=step)
    volume = read_volume(tmp_path)
    data, affine = by_itk(tmp_path)
    assert_array_equal(volume.data, data)
    assert_allclose(volume.affine, affine, atol=1e-4)
    assert volume.modality is Modality.CT
    assert volume.name == "AX"


def test_rescale_and_window_come_from_the_header(tmp_path):
    window = {"WindowCenter": [40, 400], "WindowWidth": [80, 900]}
    write_series(tmp_path, DATA, RescaleSlope=2, RescaleIntercept=-1024, **window)
    volume = read_volume(tmp_path)
    assert_allclose(volume.data, DATA * 2.0 - 1024)
    assert volume.window == Window(40, 80)


def test_whole_numbers_stay_whole(tmp_path):
    write_series(tmp_path, DATA, RescaleSlope=1, RescaleIntercept=-1000)
    volume = read_volume(tmp_path)
    assert volume.data.dtype == np.int16
    assert_array_equal(volume.data, DATA.astype(int) - 1000)


def test_several_series_are_offered_by_name(tmp_path):
    first = write_series(tmp_path / "a", DATA, SeriesDescription="T1", SeriesNumber=2)
    write_series(tmp_path / "b", DATA[:4], SeriesDescription="T2", SeriesNumber=5)
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(InvalidImage, match=r"2 series: 2: T1 \(CT, 9 images\); 5: T2"):
        read_volume(tmp_path)
    for name in (first, "2", "T1", "t1"):
        assert read_volume(tmp_path, series=name).shape == (9, 7, 8)
    with pytest.raises(InvalidImage, match="0 series fit 'flair'"):
        read_volume(tmp_path, series="flair")
    assert [str(s) for s in list_series(tmp_path)] == [
        "2: T1 (CT, 9 images)",
        "5: T2 (CT, 4 images)",
    ]


@pytest.fixture
def gappy(tmp_path):
    write_series(tmp_path, DATA)
    for path in tmp_path.iterdir():
        if pydicom.dcmread(path).InstanceNumber in (4, 5):
            path.unlink()
    return tmp_path


def test_missing_slices_are_told_with_where_and_what_to_do(gappy):
    with pytest.raises(
        InvalidImage, match=r"2 slices are missing between 35\.0 and 42\.5 mm"
    ) as told:
        read_volume(gappy)
    assert "gaps='fill'" in told.value.hint


def test_a_gap_can_be_filled_or_left_out(gappy):
    filled = read_volume(gappy, gaps=Gaps.FILL)
    assert filled.shape == DATA.shape
    kept = [0, 1, 2, 5, 6, 7, 8]
    assert_array_equal(filled.data[kept], DATA[kept])
    assert_allclose(filled.data[3], DATA[2] * 2 / 3 + DATA[5] / 3, atol=0.5)
    assert "interpolated" in filled.notes[0]
    largest = read_volume(gappy, gaps=Gaps.LARGEST)
    assert_array_equal(largest.data, DATA[5:])
    assert_allclose(largest.affine[:3, 3], (42.5, -7, 5))


def test_uneven_slices_are_told_and_can_be_evened_out(tmp_path):
    write_series(tmp_path, DATA)
    for path in tmp_path.iterdir():
        made = pydicom.dcmread(path)
        z = made.InstanceNumber - 1
        made.ImagePositionPatient[2] = 30 + 2.5 * z + 0.9 * (z > 5) + 0.4 * (z > 6)
        made.save_as(path)
    with pytest.raises(InvalidImage, match="unevenly spaced"):
        read_volume(tmp_path)
    volume = read_volume(tmp_path, gaps=Gaps.FILL)
    assert volume.affine[0, 0] == pytest.approx((2.5 * 8 + 1.3) / (volume.shape[0] - 1))


def test_a_tilted_gantry_keeps_its_shear(tmp_path):
    write_series(tmp_path, DATA, step=(0, 0.5, 2.5))
    volume = read_volume(tmp_path)
    assert "tilted by 11.3 degrees" in volume.notes[0]
    assert_allclose(volume.affine[:3, 0], (2.5, 0.5, 0))


def test_volumes_at_the_same_places_are_told_apart(tmp_path):
    uid = generate_uid()
    for echo in (30.0, 10.0):
        write_series(tmp_path / str(echo), DATA + int(echo), EchoTime=echo, SeriesInstanceUID=uid)
    with pytest.raises(InvalidImage, match="2 volumes at the same positions; EchoTime varies"):
        read_volume(tmp_path)
    assert_array_equal(read_volume(tmp_path, frame=0).data, DATA + 10)
    assert_array_equal(read_volume(tmp_path, frame=1).data, DATA + 30)


def test_a_repeated_slice_is_told(tmp_path):
    uid = write_series(tmp_path, DATA)
    write_series(tmp_path / "again", DATA[:1], SeriesInstanceUID=uid)
    with pytest.raises(InvalidImage, match="1 of 9 positions occur more than once"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": (0, 1, 0), "column": (0, 0, -1)}, "mixes 2 orientations"),
        ({"data": DATA[:2, :5]}, "mixes 2 image sizes"),
    ],
)
def test_a_mixed_series_is_told(tmp_path, change, message):
    uid = write_series(tmp_path, DATA)
    data = change.pop("data", DATA[:2])
    write_series(tmp_path / "other", data, SeriesInstanceUID=uid, **change)
    with pytest.raises(InvalidImage, match=message):
        read_volume(tmp_path)


def test_an_enhanced_file_is_placed_and_scaled_frame_by_frame(tmp_path):
    enhanced(tmp_path / "enhanced.dcm", DATA)
    volume = read_volume(tmp_path / "enhanced.dcm")
    assert_array_equal(volume.data, DATA - 10 * np.arange(9)[:, None, None])
    assert_allclose(volume.spacing, (2.5, 0.7, 0.9))
    assert_allclose(volume.affine[:3, 3], (30, -7, 5))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("CT_small.dcm", (1, 128, 128)),
        ("MR_small_RLE.dcm", (1, 64, 64)),
        ("MR_small_jp2klossless.dcm", (1, 64, 64)),
        ("MR_small_jpeg_ls_lossless.dcm", (1, 64, 64)),
        ("SC_rgb_jpeg_dcmtk.dcm", (1, 100, 100)),
        ("examples_palette.dcm", (1, 350, 800)),
        ("examples_ybr_color.dcm", (30, 240, 320)),
    ],
)
def test_files_of_many_kinds_are_read(name, shape):
    assert read_volume(get_testdata_file(name, download=False)).shape == shape


def test_compressed_pixels_are_the_pixels():
    plain, packed = (
        read_volume(get_testdata_file(name, download=False)).data
        for name in ("MR_small.dcm", "MR_small_jp2klossless.dcm")
    )
    assert_array_equal(plain, packed)


def test_a_file_without_a_place_or_size_says_so(tmp_path):
    save(dataset(DATA[0]), tmp_path / "plain.dcm")
    notes = " ".join(read_volume(tmp_path / "plain.dcm").notes)
    assert "taken as 1 mm" in notes
    assert "does not say where" in notes


@pytest.mark.parametrize("values", [{"PixelSpacing": [0.0, 0.9]}])
def test_pixels_of_no_size_are_told(tmp_path, values):
    write_series(tmp_path, DATA, **values)
    with pytest.raises(InvalidImage, match="0 x 0.9 mm"):
        read_volume(tmp_path)


def test_the_patients_name_is_nowhere(tmp_path):
    write_series(tmp_path, DATA)
    volume = read_volume(tmp_path)
    assert "Secret" not in f"{volume.name} {volume.notes} {volume.source}"


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(InvalidImage, match="no DICOM image"):
        read_volume(tmp_path)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    share=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
)
def test_damaged_bytes_are_told_or_read(tmp_path, share, flips):
    whole = tmp_path / "whole.dcm"
    if not whole.exists():
        save(dataset(DATA[0], PixelSpacing=[1, 1]), whole)
    content = bytearray(whole.read_bytes())
    for place, value in flips:
        content[int(place * len(content))] = value
    (tmp_path / "cut.dcm").write_bytes(content[: int(share * len(content))])
    try:
        read_volume(tmp_path / "cut.dcm")
    except MedVLMError as error:
        assert error.hint
