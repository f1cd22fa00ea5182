"""Frames of a file are slices only where the header says so."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset
from pydicom.uid import NuclearMedicineImageStorage, XRayAngiographicImageStorage

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.read import read_dicom
from tests.io.dicom_files import dataset, save

FRAMES = np.arange(8)[:, None, None] * 100 + np.arange(12).reshape(3, 4)
TIME_SLOT, R_R, SLICE = 0x00540070, 0x00540060, 0x00540080


def frames(path, pixels=FRAMES, kind="RECON TOMO", **values):
    position = Dataset()
    position.ImagePositionPatient = [10, 20, 30]
    position.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    usual = {
        "Modality": "NM",
        "ImageType": ["ORIGINAL", "PRIMARY", kind, "EMISSION"],
        "NumberOfFrames": len(pixels),
        "PixelSpacing": [4.0, 5.0],
        "SpacingBetweenSlices": 6.0,
        "DetectorInformationSequence": [position],
    }
    wanted = {k: v for k, v in {**usual, **values}.items() if v is not None}
    save(dataset(pixels, NuclearMedicineImageStorage, **wanted), path)
    return path


def test_time_slots_of_a_gated_scan_are_volumes(tmp_path):
    path = frames(
        tmp_path / "a.dcm", FrameIncrementPointer=[R_R, TIME_SLOT, SLICE],
        RRIntervalVector=[1] * 8, TimeSlotVector=[1, 1, 1, 1, 2, 2, 2, 2],
        SliceVector=[1, 2, 3, 4] * 2,
    )  # fmt: skip
    with pytest.raises(InvalidImage, match="2 volumes of 4 slices differ in TimeSlotVector: 1, 2"):
        read_dicom(path)
    assert_array_equal(read_dicom(path, frame=0).data, FRAMES[:4])
    volume = read_dicom(path, frame=1)
    assert_array_equal(volume.data, FRAMES[4:])
    assert volume.spacing == (6, 4, 5)
    assert_allclose(volume.affine[:3, 3], (30, 20, 10))
    assert volume.notes == ()


def test_slices_stand_in_the_order_of_their_vector(tmp_path):
    """A negative spacing stacks them in front of the first frame (PS3.3, C.8.4.15)."""
    order = [3, 1, 2, 5, 4, 8, 7, 6]
    values = {"FrameIncrementPointer": SLICE, "SliceVector": order, "SpacingBetweenSlices": -6.0}
    volume = read_dicom(frames(tmp_path / "a.dcm", **values))
    assert_array_equal(volume.data, FRAMES[np.argsort(order)][::-1])
    assert_allclose(volume.affine[:3, 3], (30 - 6 * 5, 20, 10))
    assert_allclose(volume.affine[:3, 0], (6, 0, 0))


def test_volumes_that_the_header_counts_but_does_not_list_are_divided_and_noted(tmp_path):
    values = {"FrameIncrementPointer": [TIME_SLOT, SLICE], "NumberOfSlices": 4}
    volume = read_dicom(frames(tmp_path / "a.dcm", **values), frame=1)
    assert_array_equal(volume.data, FRAMES[4:])
    assert "slice after slice is assumed" in volume.notes[0]
    with pytest.raises(InvalidImage, match="promises 3 slices and holds 8 frames"):
        read_dicom(frames(tmp_path / "b.dcm", **{**values, "NumberOfSlices": 3}))
    with pytest.raises(InvalidImage, match="SliceVector of c.dcm is"):
        read_dicom(frames(tmp_path / "c.dcm", **values, SliceVector=[1, 2]))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"FrameIncrementPointer": [0x00540010, 0x00540100]}, "follow each other in time"),
        ({"FrameIncrementPointer": [0x00540010, 0x00540090]}, "projections from several angles"),
        ({"FrameIncrementPointer": [0x00540010, 0x00540020]}, "several detectors or energy"),
        ({"FrameIncrementPointer": 0x00181063}, "follow each other in time"),
        ({"kind": "TOMO"}, "projections from several angles"),
        ({"kind": "DYNAMIC"}, "follow each other in time"),
        ({"kind": "WHOLE BODY"}, "several detectors or energy"),
        (
            {
                "Modality": "XA",
                "DetectorInformationSequence": None,
                "SOPClassUID": XRayAngiographicImageStorage,
            },
            "follow each other in time",
        ),
        ({"kind": "RECON TOMO"}, None),
    ],
    ids=[
        *("time slices", "angular views", "detectors", "frame time", "tomography", "dynamic"),
        *("whole body", "angiography", "slices"),
    ],
)
def test_frames_that_are_no_slices_are_noted(tmp_path, values, words):
    volume = read_dicom(frames(tmp_path / "a.dcm", **values))
    assert_array_equal(volume.data, FRAMES)
    assert any(words in note for note in volume.notes) if words else volume.notes == ()


def test_time_slots_without_an_image_position_are_volumes_too(tmp_path):
    path = frames(
        tmp_path / "a.dcm", DetectorInformationSequence=None, TimeSlotVector=[1] * 4 + [2] * 4,
        FrameIncrementPointer=[TIME_SLOT, SLICE], SliceVector=[1, 2, 3, 4] * 2,
    )  # fmt: skip
    assert_array_equal(read_dicom(path, frame=1).data, FRAMES[4:])
