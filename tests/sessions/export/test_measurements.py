"""Measurements of a session's objects, and the report of them."""

import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from napari_medvlm.io.label_images import read_labels
from napari_medvlm.sessions.export.measurements import Measurements
from tests.cli.test_segment import NO_DETAILS
from tests.conftest import make_phantom
from tests.io.dicom_files import write_series


def test_only_what_changed_is_measured_anew_and_names_follow():
    volume, left, right = make_phantom((12, 20, 22))
    with nmv.SegmentationSession(volume, runner="inline") as session:
        for where in (left, right):
            session.add_object()
            session.add(nmv.InitialMask.of(volume, where))
        measurements = Measurements(session)
        before = measurements.rows()
        session.edit_object(1, name="liver")
        after = measurements.rows()
    assert (after[1].name, after[1].voxels) == ("liver", left.sum())
    assert after[2] == before[2]


def test_a_report_has_its_segmentation_beside_it(tmp_path):
    phantom, left, _ = make_phantom()
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    data = (100 * phantom.data).astype(np.int16)
    write_series(tmp_path / "series", data, **uids, PatientID="1", **NO_DETAILS)
    volume = nmv.read_volume(tmp_path / "series")
    with nmv.SegmentationSession(volume, runner="inline") as session:
        session.add(nmv.InitialMask.of(volume, left))
        report, seg = Measurements(session).write_report(tmp_path / "report.dcm")
    assert seg.name == "report_seg.dcm"
    assert list(read_labels(seg).names.values()) == ["Object 1"]
    assert len(read_sr(report)) == 1


def test_an_image_that_is_not_dicom_has_no_report(tmp_path):
    volume, left, _ = make_phantom((12, 20, 22))
    with nmv.SegmentationSession(volume, runner="inline") as session:
        session.add(nmv.InitialMask.of(volume, left))
        with pytest.raises(CannotSave):
            Measurements(session).write_report(tmp_path / "report.dcm")
