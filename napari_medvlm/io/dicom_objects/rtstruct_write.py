"""Outlines of objects as a DICOM structure set (RTSTRUCT), written next to their series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import bounding_box
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.frames import planes_of
from napari_medvlm.io.dicom_objects.coded_terms import term_for
from napari_medvlm.io.dicom_objects.contours import outlines
from napari_medvlm.io.dicom_objects.seg_write import (
    MAKER,
    VERSION,
    Segment,
    numbers_to_save,
    short,
)
from napari_medvlm.io.dicom_objects.source_headers import UNICODE, framed_headers

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIX = ".rtstruct.dcm"
STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
"""What a structure set calls a study by the standard, though the class itself is retired."""
MANUAL = "by hand"
"""The algorithm of an object that no model made."""


def write_rtstruct(
    path: Path,
    masks: Mapping[int, NDArray[np.bool_]],
    volume: Volume,
    segments: Mapping[int, Segment],
) -> None:
    """Write objects as a DICOM structure set of the series that the volume was read from.

    Contours lie in the image's own slices, along the borders of voxels, so that they enclose
    exactly the volume of the mask, and who asks which voxel centres are inside finds it again.
    They are closed (``CLOSED_PLANAR``) and have their holes as keyholes, as the standard describes
    it: one contour runs along a channel of no width to the hole, around it, and back. Readers that
    fill contours one by one, by XOR, or by winding, all understand that.

    Parameters
    ----------
    masks
        ``(z, y, x)`` bool of each object, by its number; they may overlap.
    segments
        The description of each.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, or nothing is in the masks.
    """
    sources, frame = framed_headers(volume)
    there = {number: masks[number] for number in numbers_to_save(masks)}
    structure_set = _new_structure_set(sources[0])
    images = _images(volume, sources)
    _add_frame_of_reference(structure_set, sources[0], frame, images)
    described = {number: segments[number] for number in there}
    structure_set.StructureSetROISequence = [_roi(n, described[n], frame) for n in there]
    structure_set.ROIContourSequence = [
        _contours(n, mask, volume, described[n].color, images) for n, mask in there.items()
    ]
    structure_set.RTROIObservationsSequence = [_observation(n, described[n]) for n in there]
    structure_set.save_as(path)


def _new_structure_set(source: Dataset) -> Dataset:
    """A structure set of the same patient and study, without anything in it."""
    from highdicom import SOPClass
    from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

    structure_set = SOPClass(
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=generate_uid(),
        series_number=3000 + int(source.get("SeriesNumber") or 0),
        sop_instance_uid=generate_uid(),
        sop_class_uid=RTStructureSetStorage,
        instance_number=1,
        modality="RTSTRUCT",
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=VERSION,
        device_serial_number="1",
        series_description="Structure set",
        transfer_syntax_uid=ImplicitVRLittleEndian,  # a contour may be longer than 64 kB
    )
    structure_set.copy_patient_and_study_information(source)
    structure_set.SpecificCharacterSet = UNICODE
    return structure_set


def _images(volume: Volume, sources: list[Dataset]) -> dict[int, list[Dataset]]:
    """References to the images of each slice; several where echoes or times share a place."""
    references: dict[int, list[Dataset]] = {}
    for source in sources:
        for plane in planes_of(Path(str(source.filename)), source):
            z = float(volume.grid.to_index(plane.position[::-1])[0])
            if abs(z - round(z)) < 0.1:
                reference = _reference(source.SOPClassUID, source.SOPInstanceUID)
                if source.get("NumberOfFrames") is not None:
                    reference.ReferencedFrameNumber = plane.frame + 1
                references.setdefault(round(z), []).append(reference)
    return references


def _add_frame_of_reference(
    structure_set: Dataset, source: Dataset, frame: str, images: Mapping[int, list[Dataset]]
) -> None:
    """What the structure set is called, and which series it was drawn on."""
    from pydicom import Dataset

    structure_set.FrameOfReferenceUID = frame
    structure_set.PositionReferenceIndicator = source.get("PositionReferenceIndicator", "")
    structure_set.StructureSetLabel = MAKER
    structure_set.StructureSetDate, structure_set.StructureSetTime = (
        structure_set.InstanceCreationDate,
        structure_set.InstanceCreationTime,
    )
    structure_set.OperatorsName = ""
    structure_set.ApprovalStatus = "UNAPPROVED"
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ContourImageSequence = _without_frames(images)
    study = _reference(STUDY_COMPONENT, source.StudyInstanceUID)
    study.RTReferencedSeriesSequence = [series]
    frame_reference = Dataset()
    frame_reference.FrameOfReferenceUID = frame
    frame_reference.RTReferencedStudySequence = [study]
    structure_set.ReferencedFrameOfReferenceSequence = [frame_reference]


def _without_frames(images: Mapping[int, list[Dataset]]) -> list[Dataset]:
    """Each file once, whatever frames it has."""
    known = {r.ReferencedSOPInstanceUID: r for z in sorted(images) for r in images[z]}
    return [_reference(r.ReferencedSOPClassUID, uid) for uid, r in known.items()]


def _reference(sop_class: str, instance: str) -> Dataset:
    from pydicom import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, instance
    return reference


def _roi(number: int, segment: Segment, frame: str) -> Dataset:
    from pydicom import Dataset

    roi = Dataset()
    roi.ROINumber, roi.ROIName = number, short(segment.name)
    roi.ReferencedFrameOfReferenceUID = frame
    algorithm = "SEMIAUTOMATIC" if segment.is_interactive else "AUTOMATIC"
    roi.ROIGenerationAlgorithm = "MANUAL" if segment.algorithm == MANUAL else algorithm
    roi.ROIGenerationDescription = short(f"{segment.algorithm} {segment.version}")
    return roi


def _contours(
    number: int,
    mask: NDArray[np.bool_],
    volume: Volume,
    color: str,
    images: Mapping[int, list[Dataset]],
) -> Dataset:
    from pydicom import Dataset

    roi_contour = Dataset()
    if color:
        roi_contour.ROIDisplayColor = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    roi_contour.ReferencedROINumber = number
    roi_contour.ContourSequence = []
    for at, (z, zyx) in enumerate(_outlined(mask), 1):
        contour = Dataset()
        if z in images:
            contour.ContourImageSequence = images[z]
        contour.ContourGeometricType = "CLOSED_PLANAR"
        contour.NumberOfContourPoints = len(zyx)
        contour.ContourNumber = at
        lps = volume.grid.to_world(zyx)[:, ::-1]
        contour.ContourData = [f"{value:.10g}" for value in lps.ravel()]
        roi_contour.ContourSequence.append(contour)
    return roi_contour


def _outlined(mask: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Each outline with its slice; its corners ``(N, 3)`` as indices ``(z, y, x)``."""
    box = bounding_box(mask)
    for z in range(box[0].start, box[0].stop):
        for corners in outlines(mask[z, box[1], box[2]]):
            yx = corners + np.array([box[1].start, box[2].start])
            yield z, np.column_stack([np.full(len(yx), float(z)), yx])


def _observation(number: int, segment: Segment) -> Dataset:
    """What the object is; only anatomy has a type among those of radiotherapy."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset

    term: Any = segment.term or term_for(segment.name)
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = number
    observation.RTROIIdentificationCodeSequence = [CodedConcept.from_code(term.kind)]
    anatomy = term.category.meaning == "Anatomical Structure"
    observation.RTROIInterpretedType = "ORGAN" if anatomy else ""
    observation.ROIInterpreter = ""
    return observation
