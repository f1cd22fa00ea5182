"""Tables as CSV files: whole or not written at all, and with no formulas in their texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_medvlm.data.atomic_write import write_bytes

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that spreadsheets take for a formula."""


def cell(value: Any) -> Any:
    """A value for a cell: a text that a spreadsheet would compute gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a line of column names; an earlier file stays if writing fails.

    Raises
    ------
    CannotSave
        If the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    write_bytes(path, text.getvalue().encode(errors="replace"))
