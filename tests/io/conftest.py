"""A series of DICOM files in three ways to lie."""

import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from tests.io.dicom_files import write_series

ROW, COLUMN = (0.8, 0.6, 0.0), (-0.48, 0.64, 0.6)
PATIENT = {
    "PatientID": "1", "PatientBirthDate": "", "PatientSex": "O", "StudyID": "1",
    "StudyDate": "20260101", "StudyTime": "120000", "AccessionNumber": "",
    "ReferringPhysicianName": "", "Manufacturer": "maker",
}  # fmt: skip


@pytest.fixture(params=["axial", "reversed", "oblique"])
def volume(request, tmp_path):
    ways = {
        "axial": {},
        "reversed": {"step": (0, 0, -2.5)},
        "oblique": {"row": ROW, "column": COLUMN},
    }
    data = np.random.default_rng(1).integers(0, 400, (8, 20, 24)).astype(np.int16)
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(tmp_path / "series", data, **ways[request.param], **uids, **PATIENT)
    return nmv.read_volume(tmp_path / "series")
