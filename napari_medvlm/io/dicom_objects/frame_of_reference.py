"""Whether a DICOM object and an image share their frame of reference and their patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.header import read_header, text

if TYPE_CHECKING:
    from pydicom import Dataset

FRAME, PATIENT, SERIES = "FrameOfReferenceUID", "PatientID", "SeriesInstanceUID"
OTHER_FRAME = (
    "{} has another frame of reference than {}: the positions of its regions cannot be compared "
    "with the image."
)
OTHER_PATIENT = "{} has another Patient ID than {}."


def mismatch_notes(path: Path, volume: Volume) -> tuple[str, ...]:
    """How a segmentation, structure set or report differs from an image, a sentence for each.

    Values that either file lacks are not compared.

    Parameters
    ----------
    path
        A file of any kind; one that is not DICOM has no notes.
    volume
        The image; one that was not read from DICOM has no notes.

    Raises
    ------
    InvalidImage
        If a file is damaged.
    """
    image = header_of(volume)
    if image is None or not is_dicom(path):
        return ()
    tags = [FRAME, PATIENT, "ReferencedFrameOfReferenceSequence", "StructureSetROISequence"]
    header = read_header(path, tags)
    own, frames = text(image, FRAME), set(frames_of(header))
    notes = []
    if own and frames and own not in frames:
        notes.append(OTHER_FRAME.format(path.name, volume.name))
    elif own and frames - {own}:
        notes.append(
            f"Some regions of {path.name} are in another frame of reference than {volume.name}."
        )
    patients = {text(image, PATIENT), text(header, PATIENT)} - {""}
    if len(patients) > 1:
        notes.append(OTHER_PATIENT.format(path.name, volume.name))
    return tuple(notes)


def open_image_notes(path: Path, volumes: Iterable[Volume]) -> tuple[str, ...]:
    """The `mismatch_notes` of a file that none of the open images fits; none if one does."""
    differing = [mismatch_notes(path, volume) for volume in volumes if volume.series]
    return differing[0] if differing and all(differing) else ()


def header_of(volume: Volume) -> Dataset | None:
    """Frame of reference and patient of the DICOM files of a volume; `None` if there are none."""
    source = volume.source
    if source is None or not source.exists():
        return None
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if not file.is_file() or not is_dicom(file):
            continue
        try:
            header = read_header(file, [FRAME, PATIENT, SERIES])
        except InvalidImage:
            continue  # a damaged file that is not of the series
        if not volume.series or text(header, SERIES) == volume.series:
            return header
    return None


def frames_of(header: Dataset) -> Iterator[str]:
    """The frames of reference of regions: of a structure set, those of its ROIs."""
    rois = header.get("StructureSetROISequence") or ()
    uids = [text(roi, "ReferencedFrameOfReferenceUID") for roi in rois]
    if not any(uids):
        frames = header.get("ReferencedFrameOfReferenceSequence") or ()
        uids = [text(header, FRAME), *(text(frame, FRAME) for frame in frames)]
    yield from filter(None, uids)
