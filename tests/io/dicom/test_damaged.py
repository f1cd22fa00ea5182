"""Damaged DICOM files: a message that says what to do, or an image; soon, and nothing else."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

import napari_medvlm as nmv
from benchmarks.damaged import read
from benchmarks.damaged_files import KINDS, damaged
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.compressed_size import stated_size
from tests.io.dicom_files import write_series

EACH = 12
DATA = np.random.default_rng(0).integers(-1000, 1500, (9, 7, 8)).astype(np.int16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_gives_a_message_or_an_image(kind, tmp_path):
    files = [each for each in damaged(EACH * len(KINDS), seed=1) if each.kind == kind]
    assert len(files) == EACH
    reported = [read(each, tmp_path)[0] for each in files]
    assert set(reported) <= {"message", "image"}, reported


def test_the_same_seed_makes_the_same_files():
    assert [e.data for e in damaged(40, 3)] == [e.data for e in damaged(40, 3)]
    assert [e.data for e in damaged(40, 3)] != [e.data for e in damaged(40, 4)]


def test_a_damaged_slice_of_a_series_is_named(tmp_path):
    write_series(tmp_path, DATA)
    bad = tmp_path / "004.dcm"
    bad.write_bytes(bad.read_bytes()[:-20])
    with pytest.raises(InvalidImage, match=r"004\.dcm is damaged") as reported:
        nmv.read_volume(tmp_path)
    assert "Copy or export the file again" in reported.value.hint


def test_a_slice_in_plain_numbers_is_what_pydicom_decodes():
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm"):
        path = get_testdata_file(name, download=False)
        made = pydicom.dcmread(path)
        slope, intercept = (
            float(made.get(f"Rescale{n}", v)) for n, v in (("Slope", 1), ("Intercept", 0))
        )
        expected = made.pixel_array.astype(float) * slope + intercept
        assert np.array_equal(nmv.read_volume(path).data[0], expected)


@pytest.mark.parametrize(
    ("values", "intercept", "expected", "dtype"),
    [
        ([0, 4095], -1024, [-1024, 3071], np.int16),
        ([0, 65535], -1024, [-1024, 64511], np.int32),
        ([0, 65535], 0, [0, 65535], np.uint16),
        ([40000, 65535], -32768, [7232, 32767], np.int16),
    ],
)
def test_unsigned_values_take_no_more_than_they_need(values, intercept, expected, dtype, tmp_path):
    data = np.zeros((3, 4, 4), np.uint16)
    data[:, 0, :2] = values
    rescale = {"RescaleSlope": 1, "RescaleIntercept": intercept, "PixelRepresentation": 0}
    write_series(tmp_path, data.view(np.int16), **rescale)
    volume = nmv.read_volume(tmp_path)
    assert volume.data.dtype == dtype
    assert volume.data[1, 0, :2].tolist() == expected
    assert volume.data[1, 1, 0] == intercept


def test_bits_beyond_those_stored_do_not_count(tmp_path):
    data = np.array([[[0x7FFF, 0x0800], [0x1001, 0x0FFF]]], np.int16)
    write_series(tmp_path, data, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert nmv.read_volume(tmp_path).data[0].tolist() == [[-1, -2048], [1, -1]]


def test_a_picture_that_claims_to_be_larger_than_its_header_is_not_decoded(tmp_path):
    path = Path(get_testdata_file("SC_rgb_jpeg_app14_dcmd.dcm", download=False))
    data = path.read_bytes()
    frame = data.index(b"\xff\xc0", data.index(b"\xe0\x7f\x10\x00"))
    (tmp_path / "a.dcm").write_bytes(data[: frame + 5] + b"\xff\xff\xff\xff" + data[frame + 9 :])
    with pytest.raises(InvalidImage, match=r"a\.dcm is 65535 x 65535 pixels, its header says 256"):
        nmv.read_volume(tmp_path / "a.dcm")


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "JPEG-lossy.dcm", "JPEGLSNearLossless_16.dcm"])
def test_compressed_pictures_state_their_size(name):
    made = pydicom.dcmread(get_testdata_file(name, download=False))
    frame = next(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1))
    assert stated_size(frame) == (made.Rows, made.Columns)


def test_a_series_without_a_number_is_read(tmp_path):
    write_series(tmp_path, DATA, SeriesNumber=None)
    assert nmv.read_volume(tmp_path).shape == DATA.shape
