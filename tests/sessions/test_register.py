"""Registration from Python: what headers tell, what is refused, what is noted."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom import dcmread
from pydicom.uid import generate_uid
from scipy import ndimage

import napari_medvlm as nmv
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.sessions.register import corrected, header_facts
from napari_medvlm.worker.environment_runner import RoutedRunner
from tests.io.dicom_files import write_series
from tests.io.dicom_objects.test_spatial_registration import TURN, registration

BLOBS = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(24, 32, 32)), 3)
DATA = (4000 * BLOBS).astype(np.int16)


def series(folder, data=DATA, **values):
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(folder, data, **{**uids, "PatientID": "1", **values})
    return nmv.read_volume(folder)


def frame_of(volume):
    return dcmread(next(volume.source.iterdir())).FrameOfReferenceUID


@pytest.fixture
def current(tmp_path):
    return series(tmp_path / "current")


def test_one_frame_of_reference_is_the_identity(tmp_path, current):
    prior = series(
        tmp_path / "prior", np.roll(DATA, 3, axis=1), FrameOfReferenceUID=frame_of(current)
    )
    pairing = nmv.register(current, prior)
    assert pairing.kind is nmv.PairingKind.IDENTITY
    assert_array_equal(pairing.affine_mm, np.eye(4))
    assert "Both images have the same frame of reference: the identity is used." in pairing.notes
    assert pairing.metric_after == pairing.metric_before


def test_a_patient_that_moved_within_the_frame_can_be_registered(tmp_path, current):
    moved = replace(current, data=np.roll(DATA, 3, axis=1))
    pairing = nmv.register(current, moved, ignore_frame=True)
    assert pairing.kind is nmv.PairingKind.RIGID
    step_mm = current.spacing[1]
    middle = current.grid.to_world((12, 16, 16))
    assert_allclose(pairing.to_prior(middle) - middle, (0, 3 * step_mm, 0), atol=0.3 * step_mm)


def test_a_spatial_registration_is_used(tmp_path, current):
    prior = series(tmp_path / "prior")
    path = registration(tmp_path / "reg.dcm", frame_of(current), {frame_of(prior): TURN})
    pairing = nmv.register(current, prior, spatial_registration=path)
    assert pairing.kind is nmv.PairingKind.SPATIAL_REGISTRATION
    assert_allclose(pairing.to_current((3, 2, 1)), (33, 21, 8))
    assert pairing.metric_after is not None


def test_a_prior_of_another_patient_is_refused_until_confirmed(tmp_path, current):
    prior = series(tmp_path / "prior", PatientID="2")
    assert header_facts(current, prior).other_patient
    with pytest.raises(InvalidImage, match="another Patient ID"):
        nmv.register(current, prior, "identity")
    pairing = nmv.register(current, prior, "identity", other_patient=True)
    assert pairing.notes[0] == "The prior has another Patient ID than the current image."


def test_what_is_assumed_is_noted():
    current = nmv.Volume(DATA, modality=nmv.Modality.CT, name="now")
    prior = nmv.Volume(
        DATA, modality=nmv.Modality.MR, name="before",
        notes=("It has no voxel spacing; 1 mm is assumed.",),
    )  # fmt: skip
    notes = nmv.register(current, prior, "identity").notes
    assert notes == (
        "The images are of different modalities, CT and MR.",
        "No frame of reference in now and before: only the intensities are used.",
        "The voxel spacing of before is assumed; millimetres depend on it.",
    )


def test_a_volume_with_a_single_slice_is_refused():
    with pytest.raises(InvalidImage, match="One image is a single slice"):
        nmv.register(nmv.Volume(DATA), nmv.Volume(DATA[:1]))


def test_a_volume_over_time_is_refused_with_its_shape():
    with pytest.raises(InvalidImage, match="The image has 4 axes"):
        nmv.register(nmv.Volume(DATA), nmv.Volume(np.stack([DATA, DATA])))


def test_another_part_of_the_body_is_reported():
    other = np.random.default_rng(0).normal(size=DATA.shape).astype(np.float32)
    pairing = nmv.register(nmv.Volume(DATA), nmv.Volume(other), "identity")
    assert any("different parts of the body" in note for note in pairing.notes)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="elastic"):
        nmv.register(nmv.Volume(DATA), nmv.Volume(DATA), "elastic")


def test_a_worker_gives_the_same_matrix():
    current = nmv.Volume(DATA.astype(np.float32))
    prior = nmv.Volume(np.roll(DATA, 2, axis=2).astype(np.float32))
    reported = []
    with RoutedRunner() as runner:
        there = nmv.register(current, prior, progress=lambda *p: reported.append(p), runner=runner)
    here = nmv.register(current, prior)
    assert_array_equal(there.affine_mm, here.affine_mm)
    assert there.kind is nmv.PairingKind.RIGID
    assert reported


def test_a_correction_by_hand_is_done_after_the_registration():
    shift = np.eye(4)
    shift[:3, 3] = 1, 2, 3
    pairing = corrected(nmv.Pairing(nmv.PairingKind.RIGID, np.diag([2.0, 2, 2, 1])), shift)
    assert pairing.kind is nmv.PairingKind.MANUAL
    assert_allclose(pairing.to_current((1, 1, 1)), (3, 4, 5))
