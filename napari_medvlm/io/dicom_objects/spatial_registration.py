"""DICOM Spatial Registration objects: the transform between two frames of reference.

Part 3, C.20.2: each item of the Registration Sequence takes coordinates of its own frame of
reference to the registered one, that of the object itself, in LPS millimetres.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.frames import lps_matrix
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.dicom.header import COPY_AGAIN, guarded, numbers, text

if TYPE_CHECKING:
    from pydicom import Dataset

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
FRAME = "FrameOfReferenceUID"
LINEAR = ("RIGID", "RIGID_SCALE", "AFFINE")


def read_spatial_registration(path: Path, current_frame: str, prior_frame: str) -> FloatArray:
    """The transform from a prior's to a current frame of reference.

    Parameters
    ----------
    current_frame, prior_frame
        The FrameOfReferenceUID of the two images.

    Returns
    -------
    ndarray, shape (4, 4)
        From the prior's to the current patient millimetres ``(S, P, L)``.

    Raises
    ------
    InvalidImage
        If it is no Spatial Registration, is damaged, or does not register these frames.
    """
    dataset = _read(path)
    matrices = {text(dataset, FRAME): np.eye(4), **_matrices(path, dataset)}
    for name, frame in (("current image", current_frame), ("prior", prior_frame)):
        if not frame or frame not in matrices:
            raise InvalidImage(
                f"{path.name} does not register the frame of reference of the {name}.",
                "Choose the Spatial Registration of these two images, or register them here.",
            )
    return np.linalg.inv(matrices[current_frame]) @ matrices[prior_frame]


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    if not path.is_file():
        raise InvalidImage(f"There is no file {path.name}.", "Check the path.")
    dataset = guarded(path, lambda: dcmread(path, force=True))
    if text(dataset, "SOPClassUID") != SPATIAL_REGISTRATION:
        raise InvalidImage(
            f"{path.name} is no DICOM Spatial Registration.",
            "Choose a file of that kind; deformable ones are not read.",
        )
    return dataset


def _matrices(path: Path, dataset: Dataset) -> dict[str, FloatArray]:
    """For each frame of reference the 4 x 4 in ``(S, P, L)`` to the registered one."""
    result = {}
    for item in dataset.get("RegistrationSequence") or ():
        total = np.eye(4)
        for step in item.get("MatrixRegistrationSequence") or ():
            for matrix in step.get("MatrixSequence") or ():
                total = _matrix(path, matrix) @ total
        result[text(item, FRAME) or text(dataset, FRAME)] = total
    return result


def _matrix(path: Path, item: Dataset) -> FloatArray:
    values = numbers(path, item, "FrameOfReferenceTransformationMatrix", 16)
    kind = text(item, "FrameOfReferenceTransformationMatrixType")
    if values is None or (kind and kind not in LINEAR):
        raise InvalidImage(f"{path.name} has no linear transform.", COPY_AGAIN)
    matrix = lps_matrix(values.reshape(4, 4))
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
        raise InvalidImage(f"The transform in {path.name} cannot be inverted.", COPY_AGAIN)
    return matrix
