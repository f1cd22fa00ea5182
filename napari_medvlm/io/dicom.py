"""Placeholder until the DICOM reader is written."""

from enum import StrEnum

from napari_medvlm.errors import InvalidImage


class Gaps(StrEnum):
    REFUSE = "refuse"
    FILL = "fill"
    LARGEST = "largest"


def is_dicom(path):
    return False


def read_dicom(path, series=None, frame=None, gaps=Gaps.REFUSE):
    raise InvalidImage("DICOM cannot be read yet.", "Use NIfTI.")
