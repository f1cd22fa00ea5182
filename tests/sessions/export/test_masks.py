"""What a DICOM file tells of the objects of a session."""

import hashlib

import highdicom as hd
import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm import _writer
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.label_images import read_masks
from napari_medvlm.layers.mask_layer import MaskLayer
from napari_medvlm.sessions.export.dicom import results_of
from napari_medvlm.sessions.export.masks import write_objects
from napari_medvlm.sessions.export.measurements import Measurements
from tests.cli.test_segment import NO_DETAILS
from tests.conftest import make_phantom
from tests.io.dicom_files import write_series


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
def test_a_segmentation_states_the_model_and_the_hash_of_its_weights(
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
    reported = algorithm(path)
    assert reported.name == "embedded net.pth"
    assert reported.version
    assert dict(reported.parameters) == {"weights SHA-256": hashlib.sha256(b"weights").hexdigest()}
    assert b"secret-folder" not in path.read_bytes()


def test_a_removed_model_does_not_prevent_saving(session, tmp_path, monkeypatch):
    made_with(session, tmp_path / "gone.pth", monkeypatch)
    reported = algorithm(write_objects(session, tmp_path / "seg.dcm")[0])
    assert reported.name == "embedded gone.pth"
    assert reported.parameters is None


def tracked(path):
    """The tracking UID of each object of a segmentation, by name."""
    described = pydicom.dcmread(path).SegmentSequence
    return {segment.SegmentLabel: segment.TrackingUID for segment in described}


def reported(path):
    """The tracking UID of each group of a report, by name."""
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    return {group.tracking_identifier: group.tracking_uid for group in groups}


def add_another(session):
    corner = np.zeros(session.volume.shape, bool)
    corner[:3, :4, :4] = True
    session.add_object("cyst")
    session.add(nmv.InitialMask.of(session.volume, corner))
    session.wait()


def test_an_object_is_tracked_by_the_same_uid_in_all_that_is_written_of_it(session, tmp_path):
    add_another(session)
    first = tracked(write_objects(session, tmp_path / "seg.dcm")[0])
    assert set(first) == {"Object 1", "cyst"}
    assert len(set(first.values())) == 2
    session.edit_object(2, color="#ff0000")
    session.remove(*session.now.objects[1].prompts)
    session.undo()
    session.wait()
    report, seg = Measurements(session).write_report(tmp_path / "sr.dcm")
    assert tracked(seg) == reported(report) == first
    pushed, measurements, _ = results_of(session).write(tmp_path)
    assert tracked(pushed) == reported(measurements) == first


def test_a_session_that_is_opened_again_goes_on_with_its_uids(session, tmp_path):
    first = tracked(write_objects(session, tmp_path / "seg.dcm")[0])
    session.ledger.save(tmp_path / "session.json")
    ledger = nmv.Ledger.load(tmp_path / "session.json")
    with nmv.SegmentationSession(session.volume, runner="inline", ledger=ledger) as again:
        again.wait()
        assert tracked(write_objects(again, tmp_path / "again.dcm")[0]) == first


def test_other_objects_and_other_sessions_have_other_uids(session):
    first = session.ledger.uid_of(1)
    assert pydicom.uid.UID(first).is_valid
    session.remove_objects(1)
    session.add_object()
    assert list(session.now.objects) == [1]
    assert session.ledger.uid_of(1) != first
    with nmv.SegmentationSession(session.volume, runner="inline") as other:
        other.add_object()
        assert other.ledger.uid_of(1) not in (first, session.ledger.uid_of(1))


def test_an_object_of_others_keeps_its_uid_when_it_is_changed_and_written(session, tmp_path):
    theirs, labels = tmp_path / "theirs.dcm", np.zeros(session.volume.shape, np.uint8)
    labels[2:6, 3:9, 3:9], labels[8:10, 3:9, 3:9] = 1, 2
    reported = {1: Segment("liver", tracking_uid="2.25.77"), 2: Segment("cyst")}
    nmv.write_mask(theirs, labels, session.volume, reported)
    made = pydicom.dcmread(theirs)
    del made.SegmentSequence[1].TrackingUID, made.SegmentSequence[1].TrackingID
    made.save_as(theirs)
    named = read_masks(theirs, session.volume.grid)
    session.remove_objects(1)
    liver, cyst = session.import_labels(named.values, named.names, named.tracking_uids)
    session.edit_object(liver, name="liver, right lobe", locked=False)
    smaller = (labels == 1) & (np.indices(labels.shape)[0] > 3)
    session.add(nmv.InitialMask.of(session.volume, smaller), liver)
    session.wait()
    found = tracked(write_objects(session, tmp_path / "seg.dcm")[0])
    assert found == {"liver, right lobe": "2.25.77", "cyst": session.ledger.uid_of(cyst)}


def test_a_layer_of_objects_that_napari_saves_has_the_sessions_uids(session, tmp_path):
    shown = MaskLayer(ViewerModel(), session)
    shown.pull(redrawn=True)
    data, meta, _ = shown.ready().as_layer_data_tuple()
    _writer.write_labels(str(tmp_path / "layer.dcm"), data, meta)
    assert tracked(tmp_path / "layer.dcm") == {"Object 1": session.ledger.uid_of(1)}


def test_reports_about_a_segmentation_without_uids_agree(session, tmp_path):
    seg = write_objects(session, tmp_path / "seg.dcm")[0]
    made = pydicom.dcmread(seg)
    del made.SegmentSequence[0].TrackingUID, made.SegmentSequence[0].TrackingID
    made.save_as(seg)
    rows = {1: dict(Measurements(session).rows()[1].values)}
    for name in ("a.dcm", "b.dcm"):
        write_sr(tmp_path / name, seg, rows, session.volume)
    assert reported(tmp_path / "a.dcm") == reported(tmp_path / "b.dcm")


def test_a_layer_of_objects_that_overlap_is_saved_with_all_their_voxels(session, tmp_path):
    session.remove_objects(1)
    both = np.zeros((2, *session.volume.shape), bool)
    both[0, 2:8, 2:12, 2:12], both[1, 3:6, 4:8, 4:20] = True, True
    for number, mask in enumerate(both):
        session.add(nmv.InitialMask.of(session.volume, mask), session.add_object(f"part {number}"))
    session.wait()
    layer = MaskLayer(ViewerModel(), session)
    layer.pull(redrawn=True)

    def saved(name):
        data, meta, _ = layer.ready().as_layer_data_tuple()
        return _writer.write_labels(str(tmp_path / name), data, meta)

    assert len(saved("a.nii.gz")) == 1
    session.set_overlap(nmv.Overlap.BOTH)
    for path, mask in zip(saved("b.nii.gz"), both, strict=True):
        assert np.array_equal(nmv.read_volume(path).data > 0, mask)
    (path,) = saved("b.dcm")
    named = read_masks(path, session.volume.grid)
    assert [named.mask_of(n).voxels for n in named.names] == [both[0].sum(), both[1].sum()]


def patient_points(path, number=1):
    """The centres ``(L, P, S)`` in mm of a segment's voxels, from the headers of its frames."""
    seg = pydicom.dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    frames = np.atleast_3d(seg.pixel_array.reshape(-1, seg.Rows, seg.Columns))
    points = []
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):

        def group(name, groups=groups):
            return getattr(groups if name in groups else shared, name)[0]

        if group("SegmentIdentificationSequence").ReferencedSegmentNumber != number:
            continue

        corner = np.array(group("PlanePositionSequence").ImagePositionPatient, float)
        axes = np.array(group("PlaneOrientationSequence").ImageOrientationPatient, float)
        down, right = np.array(group("PixelMeasuresSequence").PixelSpacing, float)
        for row, column in np.argwhere(frame):
            points.append(corner + axes[:3] * column * right + axes[3:] * row * down)
    return np.array(points)


def test_painted_voxels_are_in_the_segmentation_on_the_side_of_the_patient(session, tmp_path):
    volume = session.volume
    before = session.mask_of(1)
    painted, erased = np.zeros_like(before), np.zeros_like(before)
    outside = np.argwhere(~before)
    painted[tuple(outside[np.argmax(outside[:, 2])])] = True  # one voxel at each end of the rows
    painted[tuple(outside[np.argmin(outside[:, 2])])] = True
    erased[tuple(np.argwhere(before)[0])] = True
    session.paint({1: nmv.Mask.of(painted)})
    session.paint({0: nmv.Mask.of(erased)})
    session.wait()
    expected = (before | painted) & ~erased
    (path,) = write_objects(session, tmp_path / "seg.dcm")
    spl = volume.grid.to_world(np.argwhere(expected))
    points = patient_points(path)
    assert len(points) == len(spl)
    np.testing.assert_allclose(
        sorted(np.round(points, 3).tolist()), sorted(np.round(spl[:, ::-1], 3).tolist()), atol=0.01
    )
    session.undo()
    session.undo()
    session.wait()
    (path,) = write_objects(session, tmp_path / "undone.dcm")
    assert len(patient_points(path)) == before.sum()
