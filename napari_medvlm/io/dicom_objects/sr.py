"""Write measurements as a DICOM structured report (TID 1500)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.atomic_write import write_atomically
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.header import sop_class
from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
from napari_medvlm.io.dicom_objects.intensity_concepts import intensity_concept
from napari_medvlm.io.dicom_objects.seg_read import is_seg
from napari_medvlm.io.dicom_objects.seg_write import MAKER, VERSION
from napari_medvlm.io.dicom_objects.source_headers import UNICODE, reason_of, source_headers
from napari_medvlm.io.dicom_objects.sr_evaluations import (
    Evaluation,
    groups_of,
)
from napari_medvlm.io.dicom_objects.sr_rulers import ruler_groups

if TYPE_CHECKING:
    from highdicom.sr import Measurement
    from pydicom import Dataset

Rows = Mapping[int, Mapping[str, Any]]
"""The values of a row of `tables` by the number of the segment."""
LENGTHS = {"longest_axial_mm": "LongAxis", "perpendicular_axial_mm": "ShortAxis"}
STATISTICS = {
    "mean": "Mean", "sd": "StandardDeviation", "minimum": "Minimum", "maximum": "Maximum"
}  # fmt: skip


@dataclass(frozen=True)
class TimePoint:
    """When a study was made among those that are compared.

    Parameters
    ----------
    name
        Such as ``"prior 2026-01-31"``.
    order
        From 1, the earliest.
    """

    name: str
    order: int


def write_sr(
    path: str | Path,
    seg: str | Path | None,
    rows: Rows,
    volume: Volume,
    evaluations: Sequence[Evaluation] = (),
    time_point: TimePoint | None = None,
    rulers: Sequence[Ruler] = (),
) -> None:
    """Write the measurements of the segments of a DICOM segmentation.

    Parameters
    ----------
    seg
        The file that the segments are in; `None` if there are no rows.
    rows
        The values of a row of `tables` by the number of the segment; empty ones are left out.
    volume
        The image, read from DICOM.
    evaluations
        What else was found and answered.
    time_point
        When the study was made among those that are compared.
    rulers
        Distances and angles that were drawn; lengths without a voxel size are left out.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, the segmentation is of another frame of reference
        or patient, nothing is in the objects, or the file cannot be written.
    """
    seg = None if seg is None else Path(seg)
    there = _to_report(seg, rows, [*evaluations, *rulers])
    if seg is not None:
        _require_same_frame(seg, volume)
    sources = source_headers(volume)
    try:
        report = _report(seg, there, sources, evaluations, time_point, rulers)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise CannotSave(
            f"A report cannot refer to images as those of {volume.name} "
            f"({sop_class(sources[0])}): {reason_of(error)}.",
            "Save the table as CSV.",
        ) from error
    write_atomically(Path(path).expanduser(), report.save_as)


def _report(
    seg: Path | None,
    rows: Rows,
    sources: list[Dataset],
    evaluations: Sequence[Evaluation],
    time_point: TimePoint | None,
    rulers: Sequence[Ruler],
) -> Any:
    """The report; errors are those of highdicom, for headers that lack what it needs."""
    import highdicom as hd
    from highdicom import sr
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    segmentation = None if seg is None else hd.seg.segread(seg)
    if segmentation is not None:
        _name_segments_in_frames(segmentation)
    frame = (sources[0] if segmentation is None else segmentation).FrameOfReferenceUID
    series = sources[0].SeriesInstanceUID
    modality = str(sources[0].get("Modality") or "")
    groups = [
        _group(segmentation, number, dict(values), series, modality, time_point)
        for number, values in rows.items()
    ]
    groups += [
        group for evaluation in evaluations for group in groups_of(evaluation, frame, series)
    ]
    groups += ruler_groups(rulers, frame)
    content = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=_device()),
        codes.SCT.ImagingProcedure,
        groups,
        codes.DCM.ImagingMeasurementReport,
    )
    report = sr.Comprehensive3DSR(
        evidence=sources if segmentation is None else [*sources, segmentation],
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=2000 + int(sources[0].get("SeriesNumber") or 0),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        series_description="Measurements",
    )
    report.SpecificCharacterSet = UNICODE
    return report


def _to_report(seg: Path | None, rows: Rows, others: Sequence[Evaluation | Ruler]) -> Rows:
    """The rows that are not empty; refused if there is nothing, or the file is no segmentation."""
    if seg is not None and not is_seg(seg):
        raise CannotSave(
            f"A report refers to a DICOM segmentation, and {seg.name} is none.",
            "Save the objects as .dcm first, and measure those.",
        )
    there = {number: values for number, values in rows.items() if values["voxels"]}
    if not there and not others:
        raise CannotSave(
            "There is nothing to report: all objects are empty.", "Segment something first."
        )
    return there


def _require_same_frame(seg: Path, volume: Volume) -> None:
    for note in mismatch_notes(seg, volume):
        raise CannotSave(
            f"No report is written. {note}",
            "Choose the image that the segmentation was made on, or save the table as CSV.",
        )


def _name_segments_in_frames(segmentation: Any) -> None:
    """Say of each frame which segment it is of.

    Of a single segment that may stand in what all frames share, where highdicom does not look.
    """
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" in shared:
        for frame in segmentation.PerFrameFunctionalGroupsSequence:
            frame.SegmentIdentificationSequence = shared.SegmentIdentificationSequence


def _device() -> Any:
    """The observer: this program."""
    from highdicom import sr
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    attributes = sr.DeviceObserverIdentifyingAttributes(
        generate_uid(), name=MAKER, manufacturer_name=MAKER, model_name=f"{MAKER} {VERSION}"
    )
    return sr.ObserverContext(codes.DCM.Device, attributes)


def _reference(segmentation: Any, number: int, series: str) -> Any:
    """To a segment, with the images of its frames if the file lists them by segment."""
    from highdicom import sr

    lists_series = "ReferencedSeriesSequence" in segmentation
    if lists_series and segmentation.SegmentationType != "LABELMAP":
        return sr.ReferencedSegment.from_segmentation(segmentation, number)
    return sr.ReferencedSegment(
        segmentation.SOPClassUID,
        segmentation.SOPInstanceUID,
        number,
        source_series=sr.SourceSeriesForSegmentation(series),
    )


def _group(
    segmentation: Any,
    number: int,
    values: dict[str, Any],
    series: str,
    modality: str,
    time_point: TimePoint | None,
) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    described = segmentation.get_segment_description(number)
    fallback = generate_uid(entropy_srcs=[f"{segmentation.SOPInstanceUID} {number}"])
    measurements = []
    if math.isfinite(values["volume_ml"]):  # else the voxel spacing is unknown
        volume_mm3 = round(1000 * values["volume_ml"], 3)
        measurements = [sr.Measurement(codes.SCT.Volume, volume_mm3, codes.UCUM.CubicMillimeter)]
    measurements += [
        sr.Measurement(getattr(codes.SCT, code), round(values[name], 3), codes.UCUM.Millimeter)
        for name, code in LENGTHS.items()
        if math.isfinite(values[name])
    ]
    measurements += _statistics(values, modality)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(
            described.tracking_uid or fallback, described.tracking_id or values["name"]
        ),
        referenced_segment=_reference(segmentation, number, series),
        finding_type=_plain(described.segmented_property_type),
        finding_category=_plain(described.segmented_property_category),
        measurements=measurements,
        time_point_context=_time_point_context(time_point),
    )


def _time_point_context(time_point: TimePoint | None) -> Any:
    from highdicom import sr

    if time_point is None:
        return None
    return sr.TimePointContext(time_point.name, time_point_order=time_point.order)


def _plain(code: Any) -> Any:
    """A code without its modifiers, which a report has no place for."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme_designator, code.meaning)


def _statistics(values: Mapping[str, Any], modality: str) -> list[Measurement]:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    of, unit = intensity_concept(values["unit"], modality)
    return [
        sr.Measurement(of, round(values[name], 4), unit, derivation=getattr(codes.SCT, code))
        for name, code in STATISTICS.items()
    ]
