"""What an archive of images holds and how it is asked: a PACS and a tree of folders alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

Progress = Callable[[float, str], None]
"""Called with how far something is, 0 to 1, and what it does; may raise `Cancelled`."""


@dataclass(frozen=True)
class Query:
    """Which studies are looked for; what is empty does not matter.

    Parameters
    ----------
    patient_name, patient_id, description
        A part of it, large and small letters alike; with ``*`` or ``?`` a pattern of the whole.
    first, last
        Days between which the study was made, both included.
    modality
        In DICOM's letters: at least one series of the study has it.
    """

    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    first: date | None = None
    last: date | None = None
    modality: str = ""
    description: str = ""


@dataclass(frozen=True)
class Study:
    """A study; its `repr`, which may stand in a log, does not name the patient.

    Parameters
    ----------
    day
        When it was made, or `None` if unknown.
    series
        How many it has, or `None` if unknown.
    """

    uid: str
    patient_name: str = field(repr=False)
    patient_id: str = field(repr=False)
    day: date | None
    description: str
    modalities: tuple[str, ...]
    series: int | None = None


@dataclass(frozen=True)
class StudySeries:
    """A series of a study.

    Parameters
    ----------
    images
        How many files it has, or `None` if unknown.
    """

    uid: str
    study_uid: str
    number: int | None
    description: str
    modality: str
    images: int | None = None


class Archive(Protocol):
    """Where studies are found, fetched from and stored in.

    All of it takes a while, so it is no work for the window's thread; what goes wrong is an
    `ArchiveError`.
    """

    title: str

    def studies(self, query: Query, progress: Progress) -> tuple[Study, ...]:
        """The studies that fit, newest first."""
        ...

    def series(self, study: Study) -> tuple[StudySeries, ...]:
        """The series of a study, by number."""
        ...

    def fetch(self, series: StudySeries, progress: Progress) -> Path:
        """A folder that holds the files of a series, among others maybe."""
        ...

    def thumbnail(self, series: StudySeries) -> bytes | None:
        """A small picture of its middle slice, as JPEG or PNG, if there can be one."""
        ...

    def store(self, files: Sequence[Path], progress: Progress) -> None:
        """Put DICOM files into the archive."""
        ...


def pattern(text: str) -> str:
    """The pattern of a text of a `Query`; between words, as in a name, may stand anything."""
    words = "*".join(text.split())
    return words if not words or "*" in text or "?" in text else f"*{words}*"


def fits(query: Query, study: Study) -> bool:
    """Whether a study is looked for."""
    texts = (
        (query.patient_name, study.patient_name),
        (query.patient_id, study.patient_id),
        (query.description, study.description),
    )
    if not all(_like(value, wanted) for wanted, value in texts):
        return False
    if query.modality and query.modality not in study.modalities:
        return False
    if query.first is None and query.last is None:
        return True
    day = study.day
    return day is not None and (query.first or day) <= day <= (query.last or day)


def newest_first(studies: Sequence[Study]) -> tuple[Study, ...]:
    """In the order in which they are shown."""
    return tuple(sorted(studies, key=lambda s: (s.day or date.min, s.uid), reverse=True))


def by_number(series: Sequence[StudySeries]) -> tuple[StudySeries, ...]:
    """In the order in which they are shown."""
    return tuple(sorted(series, key=lambda s: (s.number is None, s.number or 0, s.uid)))


def day_of(text: str) -> date | None:
    """A date as DICOM writes it, or `None` if it is none."""
    try:
        return date.fromisoformat(text.strip().replace(".", ""))
    except ValueError:
        return None


def _like(value: str, wanted: str) -> bool:
    literal = pattern(wanted).casefold().replace("[", "[[]")
    return not literal or fnmatchcase(value.casefold(), literal)
