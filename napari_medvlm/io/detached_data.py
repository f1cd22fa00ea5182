"""The data files that NRRD and MetaImage headers name, which must lie next to the header.

A header that names any other file of the computer would read it into the image.
https://teem.sourceforge.net/nrrd/format.html#detached
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.itk_header import HEADER_BYTES, header_fields

FIELDS = ("data file", "datafile", "elementdatafile")
IN_HEADER = ("", "local")
PATTERN = re.compile(
    r"(?P<before>[^%]*)%(?P<width>0?\d{0,2})d(?P<after>[^%\s]*)"
    r"\s+(?P<first>-?\d{1,9})\s+(?P<last>-?\d{1,9})(?:\s+(?P<step>-?\d{1,9}))?"
)
"""A format and its first, last and step, of files that are numbered."""
MOST_FILES = 100_000


def require_data_beside(path: Path) -> None:
    """See that the data of a header lie in its folder or below it, in ordinary files.

    Raises
    ------
    InvalidImage
        If a file lies elsewhere, or is a pipe, a device or a folder.
    """
    folder = Path(os.path.abspath(path.parent))
    for name in data_names(path):
        position = Path(os.path.normpath(folder / name))
        if not position.is_relative_to(folder):
            raise InvalidImage(
                f"{path.name} names a data file outside its folder.",
                "Move the data next to the header and let the header name it there, if you trust "
                "where the header comes from.",
            )
        if position.exists() and not position.is_file():
            raise InvalidImage(
                f"{path.name} names {Path(name).name} as its data, which is not an ordinary file.",
                "Copy the data file next to the header again.",
            )


def data_names(path: Path) -> Iterator[str]:
    """The names of data files as a NRRD or MetaImage header has them; none if it has the data."""
    stated = [value for name, value in header_fields(path).items() if name in FIELDS]
    for value in stated:
        words = value.split()
        if value.lower() in IN_HEADER:
            continue
        if words[0].upper() == "LIST":
            yield from _listed(path)
        elif "%" in value:
            yield from _numbered(value)
        else:
            yield value.strip('"')


def _listed(path: Path) -> Iterator[str]:
    """The names after the line that says LIST, to the end of the file."""
    with path.open("rb") as file:
        lines = file.read(HEADER_BYTES).decode("utf-8", errors="replace").splitlines()
    is_list = [bool(re.match(r"(?i)(data ?file|elementdatafile)\s*[:=]", line)) for line in lines]
    for line in lines[is_list.index(True) + 1 :]:
        if line.strip():
            yield line.strip()


def _numbered(value: str) -> Iterator[str]:
    """The names that a format makes; of one without a range, the format itself."""
    match = PATTERN.match(value)
    step = int(match["step"] or 1) if match else 0
    if match is None or not step:
        yield value
        return
    first, last = int(match["first"]), int(match["last"])
    numbers = range(first, last + (1 if step > 0 else -1), step)
    for number in numbers[:MOST_FILES]:
        yield match["before"] + format(number, f"{match['width']}d") + match["after"]
