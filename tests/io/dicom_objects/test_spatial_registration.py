"""DICOM Spatial Registration objects that the tests build."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom_objects.spatial_registration import (
    SPATIAL_REGISTRATION,
    read_spatial_registration,
)

CURRENT, PRIOR = "1.2.3.1", "1.2.3.2"
# LPS: x to y, y to -x, then a shift of (10, 20, 30)
TURN = [0, -1, 0, 10, 1, 0, 0, 20, 0, 0, 1, 30, 0, 0, 0, 1]


def registration(path, frame, items, sop_class=SPATIAL_REGISTRATION):
    """Write a registration to `frame` with the matrices of other frames."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Modality = "REG"
    dataset.FrameOfReferenceUID = frame
    sequence = []
    for other, values in items.items():
        matrix, step, item = Dataset(), Dataset(), Dataset()
        matrix.FrameOfReferenceTransformationMatrix = values
        matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
        step.MatrixSequence = Sequence([matrix])
        item.FrameOfReferenceUID = other
        item.MatrixRegistrationSequence = Sequence([step])
        sequence.append(item)
    dataset.RegistrationSequence = Sequence(sequence)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_the_matrix_takes_prior_to_current_millimetres(tmp_path):
    path = registration(tmp_path / "reg.dcm", CURRENT, {PRIOR: TURN})
    matrix = read_spatial_registration(path, CURRENT, PRIOR)
    # (L 1, P 2, S 3) becomes (10 - 2, 20 + 1, 33)
    assert_allclose(matrix @ (3, 2, 1, 1), (33, 21, 8, 1))


def test_one_to_the_priors_frame_is_inverted(tmp_path):
    path = registration(tmp_path / "reg.dcm", PRIOR, {CURRENT: TURN})
    matrix = read_spatial_registration(path, CURRENT, PRIOR)
    assert_allclose(matrix @ (33, 21, 8, 1), (3, 2, 1, 1))


def test_both_may_be_registered_to_a_third_frame(tmp_path):
    identity = np.eye(4).ravel().tolist()
    path = registration(tmp_path / "reg.dcm", "1.2.3.9", {PRIOR: TURN, CURRENT: identity})
    assert_allclose(read_spatial_registration(path, CURRENT, PRIOR) @ (3, 2, 1, 1), (33, 21, 8, 1))


@pytest.mark.parametrize(("current", "prior"), [(CURRENT, "1.9"), ("1.9", PRIOR), ("", PRIOR)])
def test_one_of_other_frames_is_refused(tmp_path, current, prior):
    path = registration(tmp_path / "reg.dcm", CURRENT, {PRIOR: TURN})
    with pytest.raises(InvalidImage, match="does not register the frame of reference"):
        read_spatial_registration(path, current, prior)


def test_another_kind_of_file_is_refused(tmp_path):
    path = registration(tmp_path / "ct.dcm", CURRENT, {}, "1.2.840.10008.5.1.4.1.1.2")
    with pytest.raises(InvalidImage, match="is no DICOM Spatial Registration"):
        read_spatial_registration(path, CURRENT, PRIOR)
    (tmp_path / "text.txt").write_text("no image", encoding="utf-8")
    with pytest.raises(InvalidImage):
        read_spatial_registration(tmp_path / "text.txt", CURRENT, PRIOR)


def test_a_matrix_that_cannot_be_inverted_is_refused(tmp_path):
    path = registration(tmp_path / "reg.dcm", CURRENT, {PRIOR: [0] * 15 + [1]})
    with pytest.raises(InvalidImage, match="cannot be inverted"):
        read_spatial_registration(path, CURRENT, PRIOR)
