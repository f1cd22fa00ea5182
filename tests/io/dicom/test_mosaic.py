"""Siemens mosaics are read as the volumes that they are."""

import gzip
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.data.errors import InvalidImage
from tests.io.dicom_files import dataset, save

SLICES = np.arange(3)[:, None, None] * 1000 + np.arange(24).reshape(4, 6)
PLACED = {
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
    "PixelSpacing": [2.0, 3.0],
    "SliceThickness": 3.0,
    "SpacingBetweenSlices": 3.5,
    "ImagePositionPatient": [-18, -8, 5],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
}


def picture():
    tiles = [*SLICES, np.zeros((4, 6))]
    return np.block([[tiles[0], tiles[1]], [tiles[2], tiles[3]]])


def mosaic(path, count=3, **values):
    saved = dataset(picture(), **{**PLACED, **values})
    if count is not None:
        block = saved.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", count)
    save(saved, path)
    return path


def real(name, folder):
    data = Path(nibabel.__file__).parent / "nicom" / "tests" / "data" / f"{name}.dcm.gz"
    path = folder / f"{name}.dcm"
    path.write_bytes(gzip.decompress(data.read_bytes()))
    return path


@pytest.mark.parametrize("name", ["siemens_dwi_0", "siemens_dwi_1000"])
def test_a_real_mosaic_is_what_nibabel_reads(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_file

    path = real(name, tmp_path)
    volume, right = nmv.read_volume(path), wrapper_from_file(path)
    assert_array_equal(volume.data, right.get_data().transpose(2, 0, 1))
    corners = np.array([[0, 0, 0], [47, 127, 127], [47, 0, 64]])
    rows_columns_slices = corners[:, [1, 2, 0]]
    lps = rows_columns_slices @ right.affine[:3, :3].T + right.affine[:3, 3]
    spl = corners @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    assert_allclose(spl[:, ::-1], lps, atol=0.001)
    assert volume.notes == ()


def test_the_first_slice_lies_where_the_middle_of_the_picture_says(tmp_path):
    volume = nmv.read_volume(mosaic(tmp_path / "a.dcm"))
    assert_array_equal(volume.data, SLICES)
    assert volume.spacing == (3.5, 2, 3)
    assert_allclose(volume.affine[:3, 3], (5, -8 + 2 * (8 - 4) / 2, -18 + 3 * (12 - 6) / 2))
    assert "the order of its slices, head or feet first, is assumed" in volume.notes[0]


def test_a_series_of_mosaics_is_volumes_in_time(tmp_path):
    for time in range(2):
        mosaic(
            tmp_path / f"{time}.dcm", InstanceNumber=time + 1, AcquisitionNumber=time + 1,
            SeriesInstanceUID="1.2.3",
        )  # fmt: skip
    with pytest.raises(InvalidImage, match="2 volumes of 3 slices differ in AcquisitionNumber"):
        nmv.read_volume(tmp_path)
    assert_array_equal(nmv.read_volume(tmp_path, frame=1).data, SLICES)


def test_a_mosaic_that_does_not_state_its_slices_is_refused(tmp_path):
    path = mosaic(tmp_path / "a.dcm", count=None)
    with pytest.raises(InvalidImage, match="a Siemens mosaic, 8 x 12 pixels") as refused:
        nmv.read_volume(path)
    assert "dcm2niix" in refused.value.hint
    with pytest.raises(InvalidImage, match="mosaic of 5 slices; 8 x 12 pixels cannot be"):
        nmv.read_volume(mosaic(tmp_path / "b.dcm", count=5))


def test_a_damaged_csa_header_is_refused(tmp_path):
    path = mosaic(tmp_path / "a.dcm")
    saved = pydicom.dcmread(path)
    block = saved.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", b"SV10\x04\x03\x02\x01\xff\xff\xff\x7f")
    saved.save_as(path)
    with pytest.raises(InvalidImage, match=r"a\.dcm is damaged"):
        nmv.read_volume(path)
