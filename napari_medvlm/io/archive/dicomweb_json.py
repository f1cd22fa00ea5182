"""Studies, series and instances from DICOM JSON, and the filters of a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import (
    Query,
    Study,
    StudySeries,
    day_of,
    pattern,
)

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

Match = Mapping[str, Any]
"""An item of an answer in DICOM's JSON: by tag."""

MOST_INSTANCES = 100_000

TAGS = {
    "study": "0020000D", "series": "0020000E", "instance": "00080018", "name": "00100010",
    "id": "00100020", "day": "00080020", "study_description": "00081030",
    "modalities": "00080061", "series_count": "00201206", "modality": "00080060",
    "series_number": "00200011", "series_description": "0008103E", "images": "00201209",
    "instance_number": "00200013", "failed": "00081198",
}  # fmt: skip


def query_filters(query: Query) -> dict[str, Any]:
    """The question as QIDO writes it."""
    days = [day.strftime("%Y%m%d") if day else "" for day in (query.first, query.last)]
    wanted = {
        "PatientName": pattern(query.patient_name),
        "PatientID": pattern(query.patient_id),
        "StudyDescription": pattern(query.description),
        "ModalitiesInStudy": query.modality,
        "StudyDate": "-".join(days) if any(days) else "",
    }
    return {keyword: value for keyword, value in wanted.items() if value}


def instance_rows(client: DICOMwebClient, series: StudySeries) -> dict[str, int]:
    """The number of each instance of a series by its UID, page by page."""
    numbers: dict[str, int] = {}
    while True:
        page = client.search_for_instances(
            series.study_uid, series.uid, fields=["InstanceNumber"], offset=len(numbers)
        )
        new = {_text(i, "instance"): _integer(i, "instance_number") or 0 for i in page}
        if len(numbers) > MOST_INSTANCES:
            raise ArchiveError(
                f"The series lists more than {MOST_INSTANCES} images.",
                "Contact the server's administrator.",
            )
        if new.keys() <= numbers.keys():  # the last, or a server that knows no pages
            return numbers
        numbers |= new


def study_row(item: Match) -> Study:
    """A study from its DICOM JSON."""
    return Study(
        uid=_text(item, "study"),
        patient_name=_text(item, "name").replace("^", " ").strip(),
        patient_id=_text(item, "id"),
        day=day_of(_text(item, "day")),
        description=_text(item, "study_description"),
        modalities=tuple(map(str, _values(item, "modalities"))),
        series=_integer(item, "series_count"),
    )


def series_row(study_uid: str, item: Match) -> StudySeries:
    """A series of a study from its DICOM JSON."""
    return StudySeries(
        uid=_text(item, "series"),
        study_uid=study_uid,
        number=_integer(item, "series_number"),
        description=_text(item, "series_description"),
        modality=_text(item, "modality"),
        images=_integer(item, "images"),
    )


def _values(item: Match, name: str) -> list[Any]:
    values = item.get(TAGS[name], {}).get("Value") or []
    return [value for value in values if value is not None]


def _text(item: Match, name: str) -> str:
    """The first value as text; of a person's name the one in Latin letters."""
    first = next(iter(_values(item, name)), "")
    if isinstance(first, Mapping):
        first = first.get("Alphabetic") or next(iter(first.values()), "")
    return str(first).strip()


def _integer(item: Match, name: str) -> int | None:
    text = _text(item, name)
    return int(text) if text.lstrip("-").isdigit() else None
