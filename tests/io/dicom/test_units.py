"""Intensities that are not Hounsfield units, and those that a table of the header maps."""

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ImplicitVRLittleEndian

from napari_medvlm.data.window_presets import windows
from napari_medvlm.io.dicom.read import read_dicom
from tests.io.dicom_files import dataset, enhanced, save, write_series

DATA = np.random.default_rng(0).integers(0, 250, (3, 7, 8)).astype(np.int16)


def table(kind="US", bits=16):
    values = np.random.default_rng(1).integers(0, 2**bits, 256)
    lut = Dataset()
    lut.LUTDescriptor, lut.ModalityLUTType = [256, 0, bits], kind
    lut.LUTData = values.astype("<u2").tobytes()
    return lut


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("bits", [12, 16])
def test_a_modality_lut_is_applied_as_pydicom_does(tmp_path, bits, implicit):
    write_series(tmp_path, DATA, ModalityLUTSequence=[table(bits=bits)], PixelRepresentation=0)
    right = {}
    for path in tmp_path.iterdir():
        saved = pydicom.dcmread(path)
        if implicit:
            saved.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            saved.save_as(path, implicit_vr=True, little_endian=True)
            saved = pydicom.dcmread(path)
        saved.ModalityLUTSequence[0].LUTDescriptor = [256, 0, 16]
        right[saved.InstanceNumber] = apply_modality_lut(saved.pixel_array, saved)
    volume = read_dicom(tmp_path)
    assert_array_equal(volume.data, np.stack([right[i] for i in sorted(right)]))
    assert volume.data.dtype == np.uint16
    assert volume.unit == ""
    assert "not Hounsfield units: the header's Rescale Type is US" in volume.notes[0]


def test_a_modality_lut_of_hounsfield_units_is_in_them(tmp_path):
    write_series(tmp_path, DATA, ModalityLUTSequence=[table("HU")])
    volume = read_dicom(tmp_path)
    assert (volume.unit, volume.notes) == ("HU", ())


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        (None, "HU"), ("HU", "HU"), ("US", ""), ("MGML", "mg/ml"), ("PCT", "%"), ("OD", "{mOD}"),
        ("ED", "10*23/ml"), ("EDW", "{EDW}"), ("Z_EFF", "{Zeff}"), ("HU_MOD", "{HU_MOD}"),
        ("MAKERS_OWN", ""),
    ],
)  # fmt: skip
def test_ct_is_in_hounsfield_units_only_where_the_rescale_type_says_so(tmp_path, kind, unit):
    write_series(tmp_path, DATA, **({} if kind is None else {"RescaleType": kind}))
    volume = read_dicom(tmp_path)
    assert (volume.unit, volume.is_hu) == (unit, unit == "HU")
    assert ("Lung" in windows(volume)) == (unit == "HU")
    noted = any("not Hounsfield units" in note and str(kind) in note for note in volume.notes)
    assert noted == (unit != "HU")


def test_the_rescale_type_of_frames_counts(tmp_path):
    enhanced(tmp_path / "a.dcm", DATA)
    saved = pydicom.dcmread(tmp_path / "a.dcm")
    for frame in saved.PerFrameFunctionalGroupsSequence:
        frame.PixelValueTransformationSequence[0].RescaleType = "MGML"
    saved.save_as(tmp_path / "a.dcm")
    assert read_dicom(tmp_path / "a.dcm").unit == "mg/ml"


def test_slices_of_several_rescale_types_have_no_unit(tmp_path):
    write_series(tmp_path, DATA)
    for path in tmp_path.iterdir():
        saved = pydicom.dcmread(path)
        saved.RescaleType = "HU" if saved.InstanceNumber > 1 else "US"
        saved.save_as(path)
    volume = read_dicom(tmp_path)
    assert volume.unit == ""
    assert "several Rescale Types (HU, US)" in volume.notes[0]


@pytest.mark.parametrize(("units", "unit"), [("GY", "Gy"), ("RELATIVE", "")])
def test_a_dose_is_in_gray_where_the_header_states_it(tmp_path, units, unit):
    values = {"Modality": "RTDOSE", "DoseUnits": units, "DoseGridScaling": 0.001}
    save(dataset(DATA[0], **values), tmp_path / "a.dcm")
    assert read_dicom(tmp_path / "a.dcm").unit == unit
