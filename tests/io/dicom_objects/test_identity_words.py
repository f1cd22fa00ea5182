"""The patient's name in elements that no table of the standard lists."""

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from napari_medvlm.io.dicom_objects.deidentify import deidentify
from tests.io.dicom_files import dataset, save

NAME = "Zyxwvut"


def code(scheme, meaning, value="1"):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def cleaned(tmp_path, change=lambda saved: None, name=NAME):
    """A file as it is after ``change``, without its patient."""
    saved = dataset(np.zeros((4, 5), np.int16), PatientName=f"{name}^Q", PatientID="PIDXYZ987")
    saved.StudyInstanceUID, saved.SeriesInstanceUID = generate_uid(), generate_uid()
    change(saved)
    save(saved, tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out")
    (path,) = (tmp_path / "out").iterdir()
    assert name.lower().encode() not in path.read_bytes().lower()
    return pydicom.dcmread(path)


def private_meta(saved):
    saved.file_meta.PrivateInformationCreatorUID = "1.2.3"
    saved.file_meta.PrivateInformation = f"{NAME} ".encode()
    saved.file_meta.ReceivingApplicationEntityTitle = NAME
    saved.file_meta.ImplementationVersionName = NAME


def unknown(saved):
    saved.add(DataElement(Tag(0x0008, 0x0FFF), "UN", f"{NAME} ".encode()))
    inner = code("99L", "anything")
    inner.add(DataElement(Tag(0x0008, 0x0FFF), "UN", f"{NAME} ".encode()))
    saved.ProcedureCodeSequence = [inner]


def addresses(saved):
    saved.RetrieveURL = f"http://pacs/{NAME}"


def code_strings(saved):
    saved.BodyPartExamined = NAME.upper()
    saved.ImageType = ["ORIGINAL", "PRIMARY", NAME.upper()]


def code_meanings(saved):
    saved.ProcedureCodeSequence = [code("99L", f"CT for {NAME}")]
    saved.AnatomicRegionSequence = [code("L", f"Liver of {NAME}", NAME)]


@pytest.mark.parametrize("change", [private_meta, unknown, addresses, code_strings, code_meanings])
def test_the_name_is_left_nowhere(tmp_path, change):
    saved = cleaned(tmp_path, change)
    assert saved.PatientIdentityRemoved == "YES"
    assert saved.pixel_array.shape == (4, 5)


def test_what_does_not_name_the_patient_stays(tmp_path):
    saved = cleaned(tmp_path, code_strings)
    assert list(saved.ImageType) == ["ORIGINAL", "PRIMARY", "REMOVED"]
    saved = cleaned(tmp_path / "b", code_meanings)
    assert saved.AnatomicRegionSequence[0].CodeMeaning == "Liver of REMOVED"


def test_a_patient_called_as_a_term_changes_neither_codes_nor_pixels(tmp_path):
    def change(saved):
        saved.AnatomicRegionSequence = [code("SCT", "Brain", "12738006")]
        saved.PatientName = "Brain^Monochrome2"

    saved = dataset(np.arange(20, dtype=np.int16).reshape(4, 5), PatientID="PIDXYZ987")
    saved.StudyInstanceUID, saved.SeriesInstanceUID = generate_uid(), generate_uid()
    change(saved)
    save(saved, tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out")
    (path,) = (tmp_path / "out").iterdir()
    written = pydicom.dcmread(path)
    assert written.AnatomicRegionSequence[0].CodeMeaning == "Brain"
    assert np.array_equal(written.pixel_array, saved.pixel_array)
