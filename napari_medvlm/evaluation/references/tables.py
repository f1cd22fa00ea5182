"""Reference boxes from tables: CSV and TSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from io import StringIO

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.references.boxes import (
    own_names,
    patient_region,
    slice_region,
    voxel_region,
)

PHRASE = ("phrase", "label", "name", "class", "class_name")
IMAGE = ("image_id", "image", "file_name")
PATIENT = ("s0", "p0", "l0", "s1", "p1", "l1")
VOXELS = ("z0", "y0", "x0", "z1", "y1", "x1")
PIXELS = ("x0", "y0", "x1", "y1")
VINDR = ("x_min", "y_min", "x_max", "y_max")

Row = Mapping[str, str]


def table_regions(text: str, file: str, volume: Volume) -> tuple[Region, ...]:
    """The boxes of a table that lie on a volume, see `read_references`."""
    columns, rows = _table(text, file)
    phrase = next((name for name in PHRASE if name in columns), "")
    corners = next((c for c in (PATIENT, VOXELS, PIXELS, VINDR) if set(c) <= set(columns)), ())
    if not phrase or not corners:
        forms = "; ".join(map(",".join, (PATIENT, VOXELS, PIXELS)))
        raise InvalidReference(
            f"{file}, line 1 has no column of phrases with columns of corners, only "
            f"{', '.join(columns) or 'nothing'}.",
            f"Name the columns phrase and one of {forms}.",
        )
    return tuple(
        _region(row, phrase, corners, volume, f"{file}, line {line}")
        for line, row in _of_this_image(columns, rows, volume, file).items()
        if any(row[name] for name in corners)  # a finding without a box says: not seen
    )


def _table(text: str, file: str) -> tuple[list[str], dict[int, Row]]:
    """The names of the columns, and each row by its line in the file."""
    first = text.split("\n", 1)[0]
    reader = csv.reader(StringIO(text), delimiter=max("\t;,", key=first.count), strict=True)
    rows: dict[int, Row] = {}
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        for cells in reader:
            full = [cell.strip() for cell in cells] + [""] * len(columns)
            if any(full):
                rows[reader.line_num] = dict(zip(columns, full, strict=False))
    except csv.Error as error:
        raise InvalidReference(
            f"{file}, line {reader.line_num} cannot be read: {error}.",
            "Save the table again as CSV, with its cells in straight quotes.",
        ) from error
    return columns, rows


def _of_this_image(
    columns: list[str], rows: dict[int, Row], volume: Volume, file: str
) -> dict[int, Row]:
    """The rows of this image, where a column says which image a row is of."""
    image = next((name for name in IMAGE if name in columns), None)
    if image is None:
        return rows
    own = own_names((row[image] for row in rows.values()), volume, file, sliced=False)
    return {line: row for line, row in rows.items() if row[image] in own}


def _region(
    row: Row, phrase: str, corners: tuple[str, ...], volume: Volume, location: str
) -> Region:
    name = row[phrase]
    if not name:
        raise InvalidReference(
            f"{location} has a box and nothing in column {phrase}.",
            "Say what the box is around, or leave the row out.",
        )
    numbers = [_number(row, column, location) for column in corners]
    if corners == PATIENT:
        return patient_region(name, volume, numbers[:3], numbers[3:], location)
    if corners == VOXELS:
        return voxel_region(name, volume, numbers[:3], numbers[3:], location)
    index = _number(row, "slice", location) if row.get("slice") else 0.0
    if not index.is_integer():
        raise _no_number("slice", row["slice"], "whole number", location)
    return slice_region(name, volume, int(index), numbers, location)


def _number(row: Row, column: str, location: str) -> float:
    try:
        number = float(row[column])
    except ValueError as error:
        raise _no_number(column, row[column], "number", location) from error
    if not math.isfinite(number):
        raise _no_number(column, row[column], "finite number", location)
    return number


def _no_number(column: str, value: str, wanted: str, location: str) -> InvalidReference:
    return InvalidReference(
        f"{location}: {value!r} in column {column} is not a {wanted}.",
        "Correct it, with a point as the decimal sign, or leave the row out.",
    )
