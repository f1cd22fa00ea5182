"""The day on which a DICOM image was acquired."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.header import read_header, text

DATES = ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate", "ContentDate")
"""Elements that may hold the date, in the order in which they are used."""
SERIES = "SeriesInstanceUID"


def acquisition_date(volume: Volume) -> date | None:
    """The date of acquisition, else of the series or the study; `None` if no file states one."""
    source = volume.source
    if source is None or not source.exists():
        return None
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if not file.is_file() or not is_dicom(file):
            continue
        with suppress(InvalidImage):  # a damaged file that is not of the series
            header = read_header(file, [*DATES, SERIES])
            if volume.series and text(header, SERIES) != volume.series:
                continue
            return next((day for name in DATES if (day := _date(text(header, name)))), None)
    return None


def _date(value: str) -> date | None:
    with suppress(ValueError):
        return datetime.strptime(value[:8], "%Y%m%d").date()  # a day only
    return None
