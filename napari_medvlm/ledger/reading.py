"""Read session files and journals, also damaged journals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.ledger.journal_lines import read_lines
from napari_medvlm.ledger.migrate import upgrade
from napari_medvlm.ledger.records import (
    VERSION,
    Corrections,
    CursorMoved,
    Entry,
    MaskEdited,
    Predicted,
    Record,
    SessionFile,
)
from napari_medvlm.ledger.region_records import Grounded, ImageReference

JOURNAL_SUFFIX = ".jsonl"
"""A session file that is written line by line, see `journal_lines`."""
LARGEST_BYTES = 2**30
"""Size of the largest session file that is read."""
_INVALID = (ValidationError, ValueError, AttributeError, TypeError, RecursionError)


@dataclass(frozen=True)
class Content:
    """The content of a session file.

    Attributes
    ----------
    records
        The records in order; `None` is a damaged or missing line of a journal.
    damaged
        Number of damaged or missing lines, the header included.
    corrections
        Sentences about values that were replaced.
    """

    image: ImageReference
    records: Sequence[Record | None]
    damaged: int = 0
    corrections: tuple[str, ...] = ()


def read_session(path: Path, image: ImageReference | None = None) -> Content:
    """Read a session file or a journal.

    Parameters
    ----------
    path
        The file; one that ends with `JOURNAL_SUFFIX` is a journal.
    image
        The image of a journal whose header is damaged.

    Raises
    ------
    SessionFileError
        If the file cannot be read or was written by a newer version, if a session file is damaged,
        or if the header of a journal is damaged and ``image`` is `None`.
    """
    data = _bytes_of(path)
    if path.suffix == JOURNAL_SUFFIX:
        return _journal(path.name, data, image)
    try:
        values = json.loads(data)
        _check_version(path.name, values)
        text = data if values.get("version", 0) == VERSION else json.dumps(upgrade(values))
        corrections = Corrections()
        content = SessionFile.model_validate_json(text, context=corrections)
    except _INVALID as error:
        raise _damaged(path.name) from error
    return Content(content.image, content.records, 0, _once(corrections))


def header_version(data: bytes) -> int:
    """The version in the header of a journal; the current one if the header is damaged."""
    lines = read_lines(data[: data.find(b"\n") + 1])
    try:
        version = json.loads(lines[0] or b"")["version"]
    except (IndexError, KeyError, TypeError, ValueError):
        return VERSION
    return version if isinstance(version, int) else VERSION


def needed_version(record: Record) -> int:
    """The oldest version of the format that has a record of this kind."""
    match record:
        case Entry():
            return 3 if any(isinstance(event, MaskEdited) for event in record.events) else 1
        case Predicted():
            return 4
        case CursorMoved() | Grounded():
            return 1
    return 2


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise SessionFileError(
                f"{path.name} is larger than {LARGEST_BYTES / 2**30:g} GB.",
                "Choose a session file saved by this program.",
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SessionFileError(
            f"There is no {path.name} in {path.absolute().parent}.", "Check the path."
        ) from error
    except OSError as error:
        raise SessionFileError(
            f"{path.name} cannot be read as a session.",
            "Choose a session file saved by this program.",
        ) from error


def _journal(name: str, data: bytes, image: ImageReference | None) -> Content:
    lines = read_lines(data)
    head, *others = lines or [None]
    header = _header(name, head)
    if header is None and image is None:
        raise _damaged(name)
    corrections = Corrections()
    records = [_record(text, corrections) for text in others]
    missing = sum(record is None for record in records) + (header is None)
    known: ImageReference = header or image  # type: ignore[assignment]  # one is not None
    return Content(known, records, missing, _once(corrections))


def _header(name: str, text: bytes | None) -> ImageReference | None:
    """The image that the header names; `None` if the header is damaged."""
    if text is None:
        return None
    try:
        values = json.loads(text)
        _check_version(name, values)
        return ImageReference.model_validate(values["image"])
    except (KeyError, *_INVALID):
        return None


def _once(corrections: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(corrections))


def _record(text: bytes | None, corrections: Corrections) -> Record | None:
    """A record of the current format or of an older one; `None` if it is damaged."""
    if text is None:
        return None
    try:
        return _records().validate_json(text, context=corrections)
    except ValidationError:
        pass
    try:
        (old,) = upgrade({"version": 1, "records": [json.loads(text)]})["records"]
        return _records().validate_json(json.dumps(old), context=corrections)
    except (KeyError, *_INVALID):
        return None


@cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def _check_version(name: str, values: Any) -> None:
    version = values.get("version", 0)
    if isinstance(version, int) and version > VERSION:
        raise SessionFileError(
            f"{name} was written by a newer version (format {version}, known: {VERSION}).",
            "Update with: pip install --upgrade napari-medvlm",
        )


def _damaged(name: str) -> SessionFileError:
    return SessionFileError(
        f"{name} is damaged, or not a session of this program.",
        "Open an earlier copy, or the journal of the same image.",
    )


def count_text(damaged: int, name: str) -> str:
    """The sentence about the damaged lines of a journal; empty if there are none."""
    if not damaged:
        return ""
    records = "1 record is" if damaged == 1 else f"{damaged} records are"
    return f"{records} damaged or missing in {name}; all others are there."


def without_gaps(records: Iterable[Record | None]) -> list[Record]:
    """The records that are there."""
    return [record for record in records if record is not None]
