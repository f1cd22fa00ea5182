"""Read the measurements, evaluations and rulers of a DICOM structured report (TID 1500)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.io.dicom.header import guarded
from napari_medvlm.io.dicom_objects.sr import LENGTHS, STATISTICS
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation, evaluations_in, sentence_in
from napari_medvlm.io.dicom_objects.sr_rulers import rulers_in

if TYPE_CHECKING:
    from highdicom.sr import Measurement

T = TypeVar("T")


def read_sr(path: str | Path) -> tuple[dict[str, Any], ...]:
    """The measurements of each object of a structured report.

    Returns
    -------
    For each: ``name``, and the values under the names of the columns of `tables`; quantities that
    have no column there stand under their meaning.

    Raises
    ------
    InvalidImage
        If it is no report of measurements by template 1500.
    """
    return _read(path, lambda report: tuple(map(_values, _measured(report.content))))


def read_evaluations(path: str | Path) -> tuple[Evaluation, ...]:
    """What else a structured report of ours says: what was found and answered, and where.

    Raises
    ------
    InvalidImage
        If it is no report of measurements by template 1500.
    """
    return _read(path, lambda report: evaluations_in(report.content))


def read_rulers(path: str | Path) -> tuple[Ruler, ...]:
    """The distances and angles of a structured report of ours; errors as of `read_sr`."""
    return _read(path, lambda report: rulers_in(report.content))


def series_of_report(path: str | Path) -> tuple[str, ...]:
    """The UIDs of the series that a report rests on; errors as of `read_sr`."""
    return _read(
        path,
        lambda report: tuple(
            str(series.SeriesInstanceUID)
            for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ()
            for series in study.ReferencedSeriesSequence
        ),
    )


def _read(path: str | Path, what: Callable[[Any], tuple[T, ...]]) -> tuple[T, ...]:
    import highdicom as hd

    return guarded(
        Path(path),
        lambda: what(hd.sr.srread(path)),
        "cannot be read as a report of measurements",
        "Choose a structured report by template 1500.",
    )


def _measured(content: Any) -> list[Any]:
    groups = content.get_volumetric_roi_measurement_groups()
    return [group for group in groups if sentence_in(group) is None]


def _values(group: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"name": group.tracking_identifier}
    for measured in group.get_measurements():
        row[_column(measured)] = float(measured.value)
    if "volume_mm3" in row:
        row["volume_ml"] = row.pop("volume_mm3") / 1000
    return row


def _column(measured: Measurement) -> str:
    from pydicom.sr.codedict import codes

    columns = {getattr(codes.SCT, code): name for name, code in LENGTHS.items()}
    columns[codes.SCT.Volume] = "volume_mm3"
    derived = {getattr(codes.SCT, code): name for name, code in STATISTICS.items()}
    if measured.derivation is not None:
        return derived.get(measured.derivation, measured.derivation.meaning)
    return columns.get(measured.name, measured.name.meaning)
