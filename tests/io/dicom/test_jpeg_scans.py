"""JPEG of 12 bits with loose scan headers is read as SimpleITK reads it."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.jpeg_scans import with_standard_scans
from napari_medvlm.io.dicom.read import read_dicom

LOOSE = Path(str(get_testdata_file("JPEG-lossy.dcm", download=False)))


def frame_of(path):
    (frame,) = generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    return frame


def test_a_jpeg_of_12_bits_with_a_loose_scan_header_is_what_simpleitk_reads(capfd):
    right = sitk.GetArrayFromImage(sitk.ReadImage(LOOSE))
    capfd.readouterr()  # of GDCM
    volume = read_dicom(LOOSE)
    assert_allclose(volume.data, right, atol=1)  # the two inverse cosine transforms round apart
    assert volume.range[1] == right.max()


def test_frames_of_a_loose_file_are_all_read(tmp_path):
    saved = pydicom.dcmread(LOOSE)
    saved.PixelData = encapsulate([frame_of(LOOSE)] * 3)
    saved.NumberOfFrames = 3
    saved.save_as(tmp_path / "a.dcm")
    data = read_dicom(tmp_path / "a.dcm").data
    assert data.shape[0] == 3
    assert_array_equal(data[2], read_dicom(LOOSE).data[0])


def test_standard_and_other_frames_stay_as_they_are():
    standard = with_standard_scans(frame_of(LOOSE))
    assert standard != frame_of(LOOSE)
    assert len(standard) == len(frame_of(LOOSE))
    assert with_standard_scans(standard) == standard
    for frame in (b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00", bytes(100), standard[:600]):
        assert with_standard_scans(frame) == frame
    lossless = standard.replace(b"\xff\xc1", b"\xff\xc3", 1)
    assert lossless != standard
    assert with_standard_scans(lossless) == lossless


@pytest.mark.parametrize("cut", [500, 3000])
def test_a_damaged_frame_is_refused_with_the_decoders_reason(tmp_path, cut):
    saved = pydicom.dcmread(LOOSE)
    damaged = np.frombuffer(frame_of(LOOSE), np.uint8).copy()
    damaged[4 : 4 + cut] = 0
    saved.PixelData = encapsulate([damaged.tobytes()])
    saved.save_as(tmp_path / "a.dcm")
    with pytest.raises(InvalidImage, match="pylibjpeg|libjpeg|damaged") as raised:
        read_dicom(tmp_path / "a.dcm")
    assert not raised.value.message.endswith("plugins.")
