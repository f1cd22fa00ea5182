"""What a DICOM file tells of the objects of a session."""

import hashlib

import highdicom as hd
import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.sessions.measurements import Measurements
from napari_medvlm.sessions.results_dicom import results_of
from napari_medvlm.sessions.saving import write_objects
from tests.conftest import make_phantom
from tests.io.dicom_files import write_series
from tests.test_cli import NO_DETAILS


@pytest.fixture
def session(tmp_path):
    phantom, *_ = make_phantom((12, 20, 22))
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    data = (100 * phantom.data).astype(np.int16)
    write_series(tmp_path / "series", data, **uids, PatientID="1", **NO_DETAILS)
    volume = nmv.read_volume(tmp_path / "series")
    with nmv.SegmentationSession(volume, runner="inline") as made:
        made.add(nmv.Point.at_index(volume, np.argwhere(volume.data > 50)[0]))
        made.wait()
        yield made


def made_with(session, model, monkeypatch):
    live = session.now.objects[session.active]
    made = session.ledger.predicted(live.info.id, live.changed)
    changed = made.model_copy(update={"model": str(model)})
    monkeypatch.setattr(session.ledger, "predicted", lambda *_: changed)


def algorithm(path):
    return hd.seg.segread(path).get_segment_description(1).algorithm_identification


@pytest.mark.parametrize("way", ["save", "report", "push"])
def test_a_segmentation_tells_the_model_and_the_hash_of_its_weights(
    session, tmp_path, monkeypatch, way
):
    weights = tmp_path / "secret-folder" / "net.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    made_with(session, weights, monkeypatch)
    ways = {
        "save": lambda: write_objects(session, tmp_path / "seg.dcm")[0],
        "report": lambda: Measurements(session).write_report(tmp_path / "sr.dcm")[1],
        "push": lambda: results_of(session).write(tmp_path)[0],
    }
    path = ways[way]()
    told = algorithm(path)
    assert told.name == "embedded net.pth"
    assert told.version
    assert dict(told.parameters) == {"weights SHA-256": hashlib.sha256(b"weights").hexdigest()}
    assert b"secret-folder" not in path.read_bytes()


def test_a_model_that_is_gone_keeps_nobody_from_saving(session, tmp_path, monkeypatch):
    made_with(session, tmp_path / "gone.pth", monkeypatch)
    told = algorithm(write_objects(session, tmp_path / "seg.dcm")[0])
    assert told.name == "embedded gone.pth"
    assert told.parameters is None
