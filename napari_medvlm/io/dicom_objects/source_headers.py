"""The headers of the series that a DICOM object refers to, complete enough for highdicom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.folder import headers_of, is_dicom
from napari_medvlm.io.dicom.header import guarded, without_escapes

if TYPE_CHECKING:
    from pydicom import Dataset

UNICODE = "ISO_IR 192"
"""The character set of written files, UTF-8: names of objects may be in any script."""
TEXTS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip


def source_headers(volume: Volume) -> list[Dataset]:
    """The headers of the DICOM files that a volume was read from, but for their pixels.

    The texts of the first are decoded, since those of patient and study are written again, and its
    character set is Unicode.

    Absent elements of patient and study that the standard requires, but allows to be empty
    (type 2, PS3.3 C.7.1.1 and C.7.2.1), have empty values.

    Raises
    ------
    CannotSave
        If it was not read from DICOM, or the files are no longer there.
    """
    from pydicom import dcmread

    if volume.source is None or not (volume.series or is_dicom(volume.source)):
        raise CannotSave(
            f"{volume.name} was not read from a DICOM series, so no DICOM object can refer to it.",
            "Save as NIfTI (.nii.gz), NRRD or MetaImage.",
        )
    try:
        headers = headers_of(volume.source, volume.series if volume.source.is_dir() else None)
    except InvalidImage as error:
        raise CannotSave(
            f"The DICOM files of {volume.name} are no longer where they were: {error.message}",
            "Put them back, or save as NIfTI.",
        ) from error
    sources = [_completed(dcmread(file, stop_before_pixels=True)) for file, _ in headers]
    guarded(headers[0][0], sources[0].decode)
    for element in sources[0]:
        if element.VR in TEXTS and "\x1b" in str(element.value):
            element.value = without_escapes(str(element.value))
    sources[0].SpecificCharacterSet = UNICODE
    return sources


def _completed(header: Dataset) -> Dataset:
    """The header with empty values for elements of patient and study that are type 2 and absent."""
    for keyword in TYPE_2:
        if keyword not in header:
            setattr(header, keyword, "")
    return header


def framed_headers(volume: Volume) -> tuple[list[Dataset], Any]:
    """The headers of a volume's series, and the frame of reference that they share.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, or its header has no frame or study.
    """
    sources = source_headers(volume)
    first = sources[0]
    frame = first.get("FrameOfReferenceUID")
    needed = {
        "series": first.get("SeriesInstanceUID"),
        "study": first.get("StudyInstanceUID"),
        "frame of reference": frame,
    }
    for what, uid in needed.items():
        if not uid:
            raise CannotSave(
                f"The DICOM header of {volume.name} does not give its {what}.",
                "Save as NIfTI (.nii.gz), NRRD or MetaImage.",
            )
    return sources, frame


def share_geometry(sources: list[Dataset], geometry: Mapping[str, Any]) -> None:
    """Fill in pixel measures and orientation where highdicom looks for those of all slices.

    The volume has them, whether the headers have them for all frames, for each frame or in part.
    The headers are changed in memory only.
    """
    measures, orientation = geometry["pixel_measures"], geometry["plane_orientation"]
    for source in sources:
        if "SharedFunctionalGroupsSequence" in source:
            shared = source.SharedFunctionalGroupsSequence[0]
            if "PixelMeasuresSequence" not in shared:
                shared.PixelMeasuresSequence = measures
            if "PlaneOrientationSequence" not in shared:
                shared.PlaneOrientationSequence = orientation
        elif "ImagePositionPatient" in source:
            source.PixelSpacing = measures[0].PixelSpacing
            source.SliceThickness = measures[0].SliceThickness
            source.ImageOrientationPatient = orientation[0].ImageOrientationPatient


def reason_of(error: Exception) -> str:
    """What is missing or wrong in the images, from an error of highdicom."""
    missing = getattr(error, "name", None)
    if missing:
        return f"they have no {missing}"
    return str(error).strip().rstrip(".").split("\n")[0] or type(error).__name__
