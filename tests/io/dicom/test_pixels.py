"""Intensities, colours and frames of DICOM files, and what is damaged in them."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.io.dicom.read import is_dicom, read_dicom
from tests.io.dicom_files import dataset, enhanced, save, write_series

DATA = np.random.default_rng(0).integers(-1000, 1500, (9, 7, 8)).astype(np.int16)
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


def without(path, *keywords, **values):
    made = dataset(DATA[0], **{**PLACED, **values})
    for keyword in keywords:
        delattr(made, keyword)
    save(made, path)
    return path


# Intensities


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        (1, 0, np.int16),
        (1, -1024, np.int16),
        (1, 32000, np.int32),
        (2, 0, np.float32),
        (1, 0.5, np.float32),
    ],
)
def test_whole_numbers_stay_whole(tmp_path, slope, intercept, dtype):
    write_series(tmp_path, DATA, RescaleSlope=slope, RescaleIntercept=intercept)
    volume = read_dicom(tmp_path)
    assert volume.data.dtype == dtype
    assert_allclose(volume.data, DATA * float(slope) + intercept)


def test_each_slice_has_its_own_scale(tmp_path):
    write_series(tmp_path, DATA, Modality="PT")
    for path in tmp_path.iterdir():
        made = pydicom.dcmread(path)
        made.RescaleSlope, made.RescaleIntercept = made.InstanceNumber, 3
        made.save_as(path)
    volume = read_dicom(tmp_path)
    assert volume.modality is Modality.PT
    assert_allclose(volume.data, DATA * np.arange(1, 10)[:, None, None] + 3.0)


def test_unsigned_sixteen_bits_are_kept(tmp_path):
    pixels = np.array([[0, 65535]], np.uint16)
    path = one(
        tmp_path / "a.dcm", PixelRepresentation=0, Rows=1, Columns=2, PixelData=pixels.tobytes()
    )
    assert read_dicom(path).data.tolist() == [[[0, 65535]]]


def test_inverted_radiographs_are_kept_and_reported(tmp_path):
    volume = read_dicom(one(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert_array_equal(volume.data[0], DATA[0])
    assert "MONOCHROME1" in volume.notes[0]


def test_unknown_spacing_and_place_are_reported(tmp_path):
    path = tmp_path / "a.dcm"
    volume = read_dicom(without(path, *PLACED))
    assert volume.spacing == (1, 1, 1)
    assert "1 mm is assumed" in volume.notes[0]
    assert "has no image position" in volume.notes[1]
    values = {"ImagerPixelSpacing": [0.2, 0.1], "Modality": "DX"}
    volume = read_dicom(without(path, "PixelSpacing", **values))
    assert volume.spacing == (1, 0.2, 0.1)
    assert "pixel spacing at the detector" in volume.notes[0]


def test_pictures_without_a_place_are_chosen_one_by_one(tmp_path):
    for i in range(2):
        made = dataset(DATA[i], InstanceNumber=2 - i, Modality="DX", SeriesInstanceUID="1.2")
        save(made, tmp_path / f"{i}.dcm")
    with pytest.raises(InvalidImage, match=r"2 files without an image position: 1\.dcm, 0\.dcm"):
        read_dicom(tmp_path)
    assert_array_equal(read_dicom(tmp_path, frame=0).data[0], DATA[1])


# Files of many kinds


def test_plain_files_hold_the_stored_pixels():
    for name in ("CT_small.dcm", "MR_small.dcm"):
        made = pydicom.dcmread(sample(name))
        volume = read_dicom(sample(name))
        slope, intercept = made.get("RescaleSlope", 1), made.get("RescaleIntercept", 0)
        assert_allclose(volume.data[0], made.pixel_array * float(slope) + float(intercept))
        assert_allclose(volume.affine[:3, 3], [float(v) for v in made.ImagePositionPatient][::-1])
        assert volume.spacing[1:] == tuple(made.PixelSpacing)
    assert volume.window == Window(600, 1600)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
    ],
)
def test_compressed_pixels_are_the_pixels(name):
    assert_array_equal(read_dicom(sample(name)).data, read_dicom(sample("MR_small.dcm")).data)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", (1, 100, 100, 3)),
        ("SC_rgb_jpeg_dcmtk.dcm", (1, 100, 100, 3)),
        ("SC_rgb_rle_16bit_2frame.dcm", (2, 100, 100, 3)),
        ("examples_rgb_color.dcm", (1, 240, 320, 3)),
        ("examples_palette.dcm", (1, 350, 800, 3)),
        ("examples_ybr_color.dcm", (30, 240, 320, 3)),
    ],
)
def test_colours_are_red_green_and_blue_in_eight_bits(name, shape):
    volume = read_dicom(sample(name))
    assert volume.data.shape == shape
    assert volume.data.dtype == np.uint8
    assert volume.data.max() > 200


def test_the_first_stripe_of_a_colour_chart_is_red():
    for name in ("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_16bit.dcm"):
        red, green, blue = read_dicom(sample(name)).data[0, 5, 50].astype(int)
        assert_allclose((red, green, blue), (255, 0, 0), atol=5)


def test_the_frames_of_an_ultrasound_are_reported_to_be_time():
    assert any("in time" in note for note in read_dicom(sample("examples_ybr_color.dcm")).notes)


def test_a_region_in_centimetres_gives_an_ultrasound_its_spacing(tmp_path):
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    made = dataset(DATA[0], Modality="US", SequenceOfUltrasoundRegions=Sequence([region]))
    save(made, tmp_path / "us.dcm")
    assert_allclose(read_dicom(tmp_path / "us.dcm").spacing, (1, 0.3, 0.2))


# Many frames in one file


def test_an_enhanced_file_is_placed_and_scaled_frame_by_frame(tmp_path):
    enhanced(tmp_path / "enhanced.dcm", DATA)
    volume = read_dicom(tmp_path / "enhanced.dcm")
    assert_array_equal(volume.data, DATA - 10 * np.arange(9)[:, None, None])
    assert_allclose(volume.spacing, (2.5, 0.7, 0.9))
    assert_allclose(volume.affine[:3, 3], (30, -7, 5))


def test_the_volumes_of_an_enhanced_file_are_distinguished(tmp_path):
    path = tmp_path / "enhanced.dcm"
    enhanced(path, DATA[:8])
    made = pydicom.dcmread(path)
    for i, frame in enumerate(made.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = [5, -7, 30 + 2.5 * (i // 2)]
        content = Dataset()
        content.DimensionIndexValues = [i // 2 + 1, 2 - i % 2]
        frame.FrameContentSequence = Sequence([content])
        echo = Dataset()
        echo.EffectiveEchoTime = 20.0 - 10 * (i % 2)
        frame.MREchoSequence = Sequence([echo])
    made.save_as(path)
    with pytest.raises(InvalidImage, match="2 volumes of 4 slices differ in EchoTime: 10, 20"):
        read_dicom(path)
    scaled = DATA[:8] - 10 * np.arange(8)[:, None, None]
    assert_array_equal(read_dicom(path, frame=0).data, scaled[1::2])
    for frame in made.PerFrameFunctionalGroupsSequence:
        del frame.MREchoSequence
    made.save_as(path)
    with pytest.raises(InvalidImage, match="differ in Dimension 2: 1, 2"):
        read_dicom(path)
    assert_array_equal(read_dicom(path, frame=1).data, scaled[::2])


@pytest.mark.parametrize(
    ("values", "spacing", "note"),
    [({"SpacingBetweenSlices": 3}, 3, None), ({}, 1, "spacing of the frames is unknown")],
)
def test_plain_frames_follow_each_other(tmp_path, values, spacing, note):
    path = one(tmp_path / "nm.dcm", DATA, NumberOfFrames=9, Modality="NM", **values)
    volume = read_dicom(path)
    assert_array_equal(volume.data, DATA)
    assert_allclose(volume.spacing, (spacing, 0.7, 0.9))
    assert (note is None) == (volume.notes == ())
    assert note is None or note in volume.notes[0]


def test_a_dose_has_its_offsets_and_scale():
    volume = read_dicom(sample("rtdose.dcm"))
    made = pydicom.dcmread(sample("rtdose.dcm"))
    assert volume.spacing[0] == abs(made.GridFrameOffsetVector[1] - made.GridFrameOffsetVector[0])
    assert_allclose(volume.data.max(), made.pixel_array.max() * made.DoseGridScaling, rtol=1e-6)


# Memory


def test_what_does_not_fit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    path = one(tmp_path / "a.dcm", NumberOfFrames=2000, Rows=512, Columns=512)
    with pytest.raises(InvalidImage, match=r"2\.0 GiB of memory; 1\.0 GiB are free") as reported:
        read_dicom(path)
    assert "crop" in reported.value.hint


def test_frames_that_cannot_be_in_the_file_are_reported(tmp_path):
    path = one(tmp_path / "a.dcm", NumberOfFrames=10**6, Rows=1, Columns=1)
    with pytest.raises(InvalidImage, match="promises 1000000 frames in"):
        read_dicom(path)


# Damage


def test_where_a_report_is_read_is_reported():
    with pytest.raises(InvalidImage) as reported:
        read_dicom(sample("test-SR.dcm"))
    assert reported.value.hint == "Open its folder in the PACS dock, which shows reports."


def test_files_that_are_no_image_are_reported(tmp_path):
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("hello " * 100)
    for path, message in [
        (tmp_path / "absent.dcm", "no file absent.dcm"),
        (tmp_path / "empty.dcm", "is empty"),
        (tmp_path / "text.dcm", "is not DICOM: 600 bytes"),
        (sample("test-SR.dcm"), "holds no image .Comprehensive SR"),
        (sample("rtplan.dcm"), "holds no image"),
        (sample("MR_truncated.dcm"), "8130 vs 8192 bytes"),
        (sample("badVR.dcm"), "NumberOfFrames of badVR.dcm is '1A'"),
        (sample("dicomdirtests/DICOMDIR"), "holds no image .Media Storage Directory"),
    ]:
        with pytest.raises(InvalidImage, match=message) as reported:
            read_dicom(path)
        assert reported.value.hint
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidImage, match="no DICOM image in nothing"):
        read_dicom(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"PixelSpacing": [0.0, 0.9]}, r"PixelSpacing of a\.dcm is \[0\.0, 0\.9\]"),
        ({"PixelSpacing": [1.0]}, "2 finite numbers are needed"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not two unit vectors"),
        ({"RescaleSlope": 0}, "RescaleSlope of a.dcm is 0"),
        ({"Rows": 0}, "0 x 8 pixels"),
    ],
)
def test_impossible_headers_are_reported(tmp_path, values, message):
    with pytest.raises(InvalidImage, match=message) as reported:
        read_dicom(one(tmp_path / "a.dcm", **values))
    assert reported.value.hint


def test_a_file_without_pixels_is_reported(tmp_path):
    with pytest.raises(InvalidImage, match=r"a\.dcm is damaged"):
        read_dicom(without(tmp_path / "a.dcm", "PixelData"))


def test_pixels_without_any_number_are_reported(tmp_path):
    path = tmp_path / "a.dcm"
    made = dataset(DATA[0], BitsAllocated=32, **PLACED)
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(made, keyword)
    made.FloatPixelData = np.full((7, 8), np.nan, np.float32).tobytes()
    save(made, path)
    with pytest.raises(InvalidImage, match="All voxels of the image are NaN"):
        read_dicom(path)


@pytest.mark.parametrize("kept", [0, 200, 400, -20])
def test_one_damaged_file_of_a_series_is_named(tmp_path, kept):
    write_series(tmp_path, DATA)
    path = tmp_path / "004.dcm"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InvalidImage, match=r"004\.dcm") as reported:
        read_dicom(tmp_path)
    assert reported.value.hint


def test_damage_in_one_series_does_not_close_the_other(tmp_path):
    write_series(tmp_path / "a", DATA, SeriesNumber=1)
    write_series(tmp_path / "b", DATA, SeriesNumber=2)
    path = tmp_path / "a" / "004.dcm"
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\x28\x00\x02\x00")])  # before the size
    assert read_dicom(tmp_path, series="2").shape == DATA.shape
    with pytest.raises(InvalidImage, match=r"004\.dcm is cut off"):
        read_dicom(tmp_path, series="1")


def test_what_is_dicom_is_reported_by_content(tmp_path):
    assert is_dicom(sample("CT_small.dcm"))
    bare = tmp_path / "bare"
    bare.write_bytes(sample("MR_small_implicit.dcm").read_bytes()[132:])
    assert is_dicom(bare)
    assert read_dicom(bare).shape == (1, 64, 64)
    for name, content in [("text", b"hello" * 99), ("near", b"\x08\x00" + b"x" * 99), ("no", b"")]:
        (tmp_path / name).write_bytes(content)
        assert not is_dicom(tmp_path / name)
    assert not is_dicom(tmp_path)
    assert not is_dicom(tmp_path / "absent")


def test_what_is_no_damage_goes_through(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pydicom, "dcmread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_dicom(sample("CT_small.dcm"))


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(
        ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "plain"]
    ),
    share=st.floats(0, 1.5),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=5),
)
def test_damaged_bytes_are_read_or_refused_and_nothing_else(tmp_path, name, share, flips):
    whole = tmp_path / "whole.dcm" if name == "plain" else sample(name)
    if not whole.exists():
        enhanced(whole, DATA)
    content = bytearray(whole.read_bytes())
    for place, value in flips:
        content[int(place * len(content))] = value
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: int(share * len(content))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert isinstance(read_dicom(path), Volume)
        except InvalidImage as error:
            assert error.message
            assert error.hint
