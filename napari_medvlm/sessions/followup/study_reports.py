"""A DICOM segmentation and report for each of two studies, with common tracking UIDs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.table import row
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom_objects.seg_write import Segment
from napari_medvlm.io.dicom_objects.sr import TimePoint, write_sr
from napari_medvlm.io.writers import write_segments
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.lesions import lesions_of


def write_reports(
    folder: Path, result: FollowUp, current: Volume, prior: Volume, lesions: NamedLabels
) -> tuple[Path, ...]:
    """Write what is measured of both studies; a lesion has one tracking UID in all files.

    Parameters
    ----------
    lesions
        Those of the prior, as `follow` got them. Tracking UIDs that they lack are new ones.

    Returns
    -------
    Segmentation and report of the prior, then of the current study; of one without lesions, none.

    Raises
    ------
    CannotSave
        If a study is not from DICOM, or a file cannot be written.
    """
    from pydicom.uid import generate_uid

    old = lesions_of(lesions)
    uids = {lesion.value: lesion.tracking_uid or str(generate_uid()) for lesion in old}
    segments = {
        lesion.value: Segment(lesion.name, tracking_id=lesion.name, tracking_uid=uids[lesion.value])
        for lesion in old
    }
    masks = {lesion.value: lesion.mask for lesion in old}
    days = ("", "") if result.dates is None else tuple(f" {day}" for day in result.dates)
    written = _write(folder, prior, masks, segments, TimePoint(f"prior{days[0]}", 1))
    if result.masks is None or not result.masks.present:
        return written
    present = sorted(result.masks.present)
    now = {value: result.masks.mask_of(value) for value in present}
    named = {
        value: Segment(
            result.masks.names[value],
            tracking_id=segments[value].name if value in segments else result.masks.names[value],
            tracking_uid=uids.get(value, ""),
        )
        for value in present
    }
    return (*written, *_write(folder, current, now, named, TimePoint(f"current{days[1]}", 2)))


def _write(
    folder: Path,
    volume: Volume,
    masks: Mapping[int, Mask],
    segments: Mapping[int, Segment],
    point: TimePoint,
) -> tuple[Path, Path]:
    """The segmentation and the report of a study, whose segments are numbered from 1."""
    study = point.name.split()[0]
    seg, report = folder / f"{study}_segmentation.dcm", folder / f"{study}_measurements.dcm"
    numbered = dict(enumerate(masks, 1))
    arrays = {n: masks[value].full() for n, value in numbered.items()}
    write_segments(seg, arrays, volume, {n: segments[value] for n, value in numbered.items()})
    rows = {
        n: dict(row(segments[value].name, masks[value], volume).values)
        for n, value in numbered.items()
    }
    write_sr(report, seg, rows, volume, time_point=point)
    return seg, report
