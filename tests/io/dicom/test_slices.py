"""Which slices of a series make which volume: positions, phases and repeated slices."""

import re

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.uid import generate_uid

from napari_medvlm.data.errors import InvalidImage, SeveralVolumes
from napari_medvlm.io.dicom.read import Gaps, read_dicom
from tests.io.dicom_files import write_series

DATA = np.random.default_rng(0).integers(-1000, 1500, (4, 7, 8)).astype(np.int16)


def edit(folder, change):
    """Let ``change(header, z)`` alter each slice of a series."""
    for path in folder.glob("*.dcm"):
        saved = pydicom.dcmread(path)
        change(saved, saved.InstanceNumber - 1)
        saved.save_as(path)


def series(folder, count=2, **values):
    """Volumes of the same positions, a folder for each."""
    uid = generate_uid()
    for i in range(count):
        write_series(folder / str(i), DATA + i, SeriesInstanceUID=uid, **values)


@pytest.mark.parametrize("apart_mm", [0.0015, 0.002, 0.02])
@pytest.mark.parametrize("missing", [False, True], ids=["all slices", "a slice missing"])
def test_echoes_whose_positions_differ_by_rounding_are_volumes(tmp_path, apart_mm, missing):
    series(tmp_path)
    for i in range(2):

        def change(saved, z, i=i):
            saved.EchoTime = 10.0 * (i + 1)
            saved.ImagePositionPatient = [5, -7, 30 + 2.5 * z + apart_mm * i]

        edit(tmp_path / str(i), change)
        for path in (tmp_path / str(i)).iterdir():
            if missing and pydicom.dcmread(path).InstanceNumber == 2:
                path.unlink()
    with pytest.raises(SeveralVolumes, match="differ in EchoTime: 10, 20") as choice:
        read_dicom(tmp_path)
    assert choice.value.choices == ("10", "20")
    volume = read_dicom(tmp_path, frame=1, gaps=Gaps.FILL)
    assert volume.shape == DATA.shape
    assert_array_equal(volume.data[[0, 2, 3]], DATA[[0, 2, 3]] + 1)
    assert_allclose(volume.affine[:3, 3], (30 + apart_mm, -7, 5))
    assert_allclose(volume.spacing[0], 2.5)


def test_thin_slices_are_not_taken_for_repeated_ones(tmp_path):
    write_series(tmp_path, DATA, step=(0, 0, 0.009), SliceThickness=2.0)
    assert_allclose(read_dicom(tmp_path).spacing[0], 0.009)


def test_phases_that_follow_each_other_go_by_acquisition_time(tmp_path):
    """Instance numbers run from slice to slice, backwards in time."""
    series(tmp_path)
    for i, start in enumerate((101530, 101610)):

        def change(saved, z, i=i, start=start):
            saved.AcquisitionTime = f"{start + 2.5 * z:.2f}"
            saved.InstanceNumber = 2 * z + 2 - i

        edit(tmp_path / str(i), change)
    words = "2 volumes of 4 slices differ in AcquisitionTime: 101530 to 101537.5, 101610 to"
    with pytest.raises(SeveralVolumes, match=re.escape(words)):
        read_dicom(tmp_path)
    assert_array_equal(read_dicom(tmp_path, frame=1).data, DATA + 1)


def test_slices_that_were_acquired_in_turns_are_no_phases(tmp_path):
    series(tmp_path)
    for i in range(2):

        def change(saved, z, i=i):
            saved.AcquisitionTime = f"{101530 + 2 * z + i}"
            saved.InstanceNumber = 4 * i + z + 1

        edit(tmp_path / str(i), change)
    with pytest.raises(SeveralVolumes, match="InstanceNumber: 1 to 4, 5 to 8"):
        read_dicom(tmp_path)


def test_a_slice_that_occurs_twice_is_named_with_its_position(tmp_path):
    uid = write_series(tmp_path, DATA)
    write_series(tmp_path / "again", DATA[1:2], origin=(5, -7, 32.5), SeriesInstanceUID=uid)
    names = {pydicom.dcmread(p).InstanceNumber: p.name for p in tmp_path.glob("*.dcm")}
    with pytest.raises(
        InvalidImage, match="1 of 4 slice positions occurs more than once"
    ) as raised:
        read_dicom(tmp_path)
    assert "32.5 mm in" in raised.value.message
    assert names[2] in raised.value.message


def test_slices_without_positions_of_their_own_are_refused_with_the_reason(tmp_path):
    write_series(tmp_path, DATA, step=(0, 0, 0))
    edit(tmp_path, lambda saved, z: setattr(saved, "SliceLocation", 30 + 2.5 * z))
    with pytest.raises(InvalidImage, match="All 4 slices have the same ImagePositionPatient") as e:
        read_dicom(tmp_path)
    assert "from 30.0 to 37.5 mm" in e.value.message


def test_a_pixel_spacing_of_0_is_unknown(tmp_path):
    write_series(tmp_path, DATA, PixelSpacing=[0, 0])
    volume = read_dicom(tmp_path)
    assert volume.spacing == (2.5, 1, 1)
    assert volume.spacing_is_assumed
