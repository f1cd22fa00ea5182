"""Files that a data set speaks of, found below a folder, and its tables read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import DAMAGED, InvalidReference

Record = Mapping[str, Any]
ENDINGS = (".jpg", ".jpeg", ".png", ".dcm", ".dicom", ".nii.gz", ".nii", ".tif", ".tiff")
"""Endings of images that data sets leave out of their names, or change."""
LENGTH = 200
"""Characters of a file's names that an error shows."""


class ImageIndex:
    """Finds images below a folder by the path, or else the bare name, that a data set has.

    A bare name counts if it has a number in it and no other image has it: what is called
    ``source.jpg`` in each folder must not match another.

    Parameters
    ----------
    folder
        Where the images are.

    Raises
    ------
    InvalidReference
        If there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidReference(f"There is no folder {folder}.", "Check the path.")
        self._folder = folder
        self._by_stem: dict[str, Path | None] | None = None

    def __call__(self, name: str) -> Path | None:
        """The image; `None` if it is not there."""
        parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".", "..")]
        if not parts:
            return None
        bare = stem(parts[-1])
        unique_name = len(parts) == 1 or any(letter.isdigit() for letter in bare)
        for skipped in range(len(parts) if unique_name else len(parts) - 1):
            path = self._folder.joinpath(*parts[skipped:])
            if path.is_file():
                return path
        return self._all().get(bare) if unique_name else None

    def _all(self) -> Mapping[str, Path | None]:
        """Every image by its name without ending; `None` where several have it."""
        if self._by_stem is None:
            self._by_stem = {}
            for path in sorted(self._folder.rglob("*")):
                if path.name.lower().endswith(ENDINGS) and path.is_file():
                    name = stem(path.name)
                    self._by_stem[name] = None if name in self._by_stem else path
        return self._by_stem


def stem(name: str) -> str:
    """A file's name without the ending of an image."""
    ending = next((e for e in ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def read_text(path: Path) -> str:
    """A text file.

    Raises
    ------
    InvalidReference
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidReference(
            f"{path.name} cannot be read: {error}.", "Choose the data set's file of references."
        ) from error


def read_json(path: Path) -> Any:
    """What is in a JSON file, or in one with a JSON object a line (``*.jsonl``), as a list.

    Raises
    ------
    InvalidReference
        If it cannot be read.
    """
    text = read_text(path)
    try:
        if path.suffix.lower() != ".jsonl":
            return json.loads(text)
        lines = text.split("\n")  # a text in JSON may hold other ends of lines
        return [_object(line, at) for at, line in enumerate(lines, 1) if line.strip()]
    except json.JSONDecodeError as error:
        raise InvalidReference(
            f"{path.name} is not JSON: line {error.lineno}, {error.msg}.",
            "Download the file again, or choose another layout with --dataset.",
        ) from error
    except DAMAGED as error:
        raise InvalidReference(
            f"{path.name} cannot be read: {error}.", "Download the file again."
        ) from error


def _object(line: str, at: int) -> Any:
    """The JSON of a line; an error names the line of the file."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        error.lineno = at
        raise


def read_rows(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV or TSV table with their lines, by lower-case names of columns.

    Raises
    ------
    InvalidReference
        If it cannot be read, or lacks a column.
    """
    csv.field_size_limit(2**27)  # pictures stand in some tables
    text = read_text(path)
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(StringIO(text), delimiter=max("\t;,", key=first.count))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    missing = [column for column in columns if column not in names]
    if missing:
        raise InvalidReference(
            f"{path.name} has no column {missing[0]}, only {_listed(names)}.",
            "Choose another layout with --dataset.",
        )
    for row in reader:
        yield reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}


def records(content: Any, path: Path, *fields: str) -> list[Record]:
    """A list of JSON objects that have some fields.

    Raises
    ------
    InvalidReference
        If it is none, or a field is missing.
    """
    if not isinstance(content, list) or not content:
        raise InvalidReference(
            f"{path.name} holds no list of records.", "Choose another layout with --dataset."
        )
    for number, record in enumerate(content, 1):
        need(record, f"{path.name}, record {number}", *fields)
    return content


def need(record: Any, location: str, *fields: str) -> None:
    """Raise `InvalidReference` unless a record is an object with some fields."""
    if not isinstance(record, dict):
        raise InvalidReference(
            f"{location} is no JSON object.", "Choose another layout with --dataset."
        )
    missing = [field for field in fields if field not in record]
    if missing:
        raise InvalidReference(
            f'{location} has no field "{missing[0]}", only {_listed(record)}.',
            "Choose another layout with --dataset.",
        )


@contextmanager
def report_damage(path: Path, layout: str) -> Iterator[None]:
    """While a file is read: what is not as its layout has it, is raised as an error of the file.

    Raises
    ------
    InvalidReference
        If something is missing in it, or is a text, say, where a list should be.
    """
    try:
        yield
    except (AttributeError, IndexError, TypeError, ValueError, csv.Error) as error:
        why = str(error).split("\n", 1)[0]
        raise _damaged(path, layout, why) from error
    except KeyError as error:
        raise _damaged(path, layout, f"{error} is missing") from error


def _damaged(path: Path, layout: str, why: str) -> InvalidReference:
    return InvalidReference(
        f"{path.name} cannot be read as {layout}: {why}.",
        "Correct the file, or choose another layout with --dataset.",
    )


def _listed(names: Iterable[str]) -> str:
    """The first of some names; a file of another kind may have a megabyte of them."""
    known = ", ".join(names) or "nothing"
    return known if len(known) <= LENGTH else f"{known[:LENGTH]}..."


def number(text: Any, location: str) -> float:
    """A finite number; `InvalidReference` if it is none."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidReference(
            f"{location}: {text!r} is no number.", "Correct it, or leave it out."
        )
    return value


def numbers(values: Any, count: int, location: str) -> tuple[float, ...]:
    """So many finite numbers; `InvalidReference` if they are not."""
    if not isinstance(values, list | tuple) or len(values) != count:
        raise InvalidReference(
            f"{location}: {values!r} is not {count} numbers.", "Correct it, or leave it out."
        )
    return tuple(number(value, location) for value in values)
