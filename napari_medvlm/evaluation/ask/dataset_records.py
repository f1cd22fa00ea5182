"""What the layouts of questions share: records, options, images that stand in tables."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.errors import BackendUnavailable, InvalidReference
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.references.dataset_files import ImageIndex, Record
from napari_medvlm.evaluation.runs.cases import SkippedCase
from napari_medvlm.evaluation.runs.run_folder import write_bytes

_LETTERED = re.compile(r"\(?([A-Z])\)?[.:)]\s*(.*)", re.DOTALL)
_IMAGE_SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}


@dataclass
class Source:
    """Where a data set lies, and what is found in it.

    Attributes
    ----------
    references
        The file of the questions.
    below
        Finds its images.
    store
        Folder for images that stand in the file of questions itself.
    notes
        What was left out on purpose, a sentence each.
    """

    references: Path
    below: ImageIndex
    store: Path
    items: list[Item] = field(default_factory=list)
    skipped: list[SkippedCase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note_skipped(self, used: int, total: int, reason: str) -> None:
        """Note how many questions of the file were left out, if any, and why."""
        if used < total:
            self.notes.append(f"{total - used} of {total} questions were left out: {reason}")

    def add(self, name: str, images: Sequence[str | Path | None], **item: Any) -> None:
        """Add a question; it is left out where not all of its images are there."""
        paths = [self.below(image) if isinstance(image, str) else image for image in images]
        missing = [str(image) for image, path in zip(images, paths, strict=True) if path is None]
        if missing or not paths:
            which = missing[0] if missing else "of its own"
            self.skipped.append(SkippedCase(name, f"There is no image {which}."))
        else:
            self.items.append(Item(name=name, images=tuple(paths), **item))

    def store_image(self, content: bytes) -> Path:
        """A picture that stands in a table, as a file."""
        ending = next(
            (e for start, e in _IMAGE_SUFFIXES.items() if content.startswith(start)), ".png"
        )
        path = self.store / f"{hashlib.sha256(content).hexdigest()[:24]}{ending}"
        if not path.exists():
            write_bytes(path, content)
        return path

    def decoded(self, text: str, location: str) -> Path:
        """A picture that stands in a table as base64, as a file."""
        try:
            return self.store_image(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise InvalidReference(
                f"{location}: its image is not base64 ({error}).", "Download the file again."
            ) from error


def parquet_rows(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, or of all in a folder, in order.

    Raises
    ------
    BackendUnavailable
        If pyarrow is not installed.
    InvalidReference
        If it is no such file, or lacks a column.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise BackendUnavailable(
            "Questions in Parquet need pyarrow, which is not installed.",
            'Install it with: pip install "napari-medvlm[evaluate]"',
        ) from None
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        try:
            table = parquet.ParquetFile(file)
            missing = [name for name in fields if name not in table.schema_arrow.names]
            for batch in () if missing else table.iter_batches(256):
                yield from batch.to_pylist()
        except (OSError, ArrowException) as error:
            raise InvalidReference(
                f"{file.name} cannot be read as Parquet: {error}.", "Download the file again."
            ) from error
        if missing:
            raise InvalidReference(
                f"{file.name} has no column {missing[0]}.", "Choose another layout with --dataset."
            )


def image_in_cell(source: Source, cell: Any) -> str | Path | None:
    """The image of a cell of a Hugging Face table: its bytes, or else its path."""
    if isinstance(cell, Mapping):
        content = cell.get("bytes")
        return source.store_image(content) if content else str(cell.get("path") or "")
    return None if cell is None else str(cell)


def choice_fields(options: Any, right: Any, location: str) -> dict[str, Any]:
    """The fields of an `Item` for a choice.

    Parameters
    ----------
    options
        Texts, with their letters before them or without; or texts by letter.
    right
        The letter of the right one, or its text; a list where several are right.

    Raises
    ------
    InvalidReference
        If there are no options, or the right one is not among them.
    """
    texts = _texts(options)
    answers = right if isinstance(right, list) else [right]
    indices = sorted(_option_index(str(answer), texts, options) for answer in answers)
    if len(texts) < 2 or not indices or -1 in indices:
        raise InvalidReference(
            f"{location}: the answer {right!r} is not among the {len(texts)} options.",
            "Correct it, or leave the question out.",
        )
    several = isinstance(right, list)
    return {
        "kind": AnswerKind.OPEN if several else AnswerKind.CHOICE,
        "options": tuple(texts),
        "right": tuple(indices),
        "answer": "; ".join(texts[index] for index in indices),
    }


def text(record: Record, *names: str) -> str:
    """The first of some fields that is there and not empty."""
    return next((str(record[n]).strip() for n in names if record.get(n) not in (None, "")), "")


def _texts(options: Any) -> list[str]:
    if isinstance(options, Mapping):
        return [str(options[key]).strip() for key in sorted(options)]
    option_list = options if isinstance(options, list | tuple) else ()
    stripped = [str(option).strip() for option in option_list]
    matches = [_LETTERED.fullmatch(option) for option in stripped]
    letters = "".join(match[1] for match in matches if match)
    if stripped and letters == "".join(chr(65 + n) for n in range(len(stripped))):
        return [match[2].strip() for match in matches if match]
    return stripped


def _option_index(right: str, texts: Sequence[str], options: Any) -> int:
    """Which option it is; -1: none."""
    plain = right.strip()
    keys = sorted(options) if isinstance(options, Mapping) else []
    if plain in keys:
        return keys.index(plain)
    if len(plain) == 1 and plain.upper() in map(chr, range(65, 65 + len(texts))):
        return ord(plain.upper()) - 65
    match = _LETTERED.fullmatch(plain)
    candidates = {plain.casefold(), match[2].strip().casefold() if match else plain.casefold()}
    return next((n for n, option in enumerate(texts) if option.casefold() in candidates), -1)
