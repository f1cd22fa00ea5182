"""Groups of cases with means of their own: by size of the structure, by a column of a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.runs.run_folder import read_json, write_json

FILE = "strata.json"
"""Name of the file in a run's folder that has the groups of its cases."""
SIZE = "size"
SIZES = ("small", "medium", "large")
"""Thirds of the structures by their volume in the labels."""
MAX_GROUPS = 30
"""A column with more values than this has no groups, but names or numbers."""

Key = tuple[str, str]
"""A case and a structure."""
Columns = Mapping[str, Mapping[str, str]]
"""For each column the group of each case."""


@dataclass(frozen=True)
class Group:
    """Cases, or structures of cases, that have a mean of their own.

    Attributes
    ----------
    column
        ``size``, or a column of the table of cases.
    name
        Such as ``small (0.3 to 2.1 mL)``, or the value in the column.
    """

    column: str
    name: str
    keys: frozenset[Key]


def read_columns(path: Path) -> dict[str, dict[str, str]]:
    """The columns of a table of cases: CSV or TSV with a header and a column ``case``.

    Cells without a value belong to no group.

    Raises
    ------
    InvalidReference
        If it cannot be read, has no column ``case`` or no other one, or a column has too many
        values.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidReference(
            f"{path.name} cannot be read as a table: {error}", "Give a CSV or TSV file in UTF-8."
        ) from error
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    names = [name for name in (rows[0] if rows else {}) if name and name != "case"]
    if not rows or "case" not in rows[0] or not names:
        raise InvalidReference(
            f"{path.name} has no cases with groups.",
            "The first line names the columns: case, and at least one more.",
        )
    columns = {
        name: {row["case"]: row[name].strip() for row in rows if (row[name] or "").strip()}
        for name in names
    }
    for name, groups in columns.items():
        if len(set(groups.values())) > MAX_GROUPS:
            raise InvalidReference(
                f"The column {name} of {path.name} has more than {MAX_GROUPS} values.",
                "Leave it out, or put its values into classes.",
            )
    return columns


def columns_in(path: Path | None) -> dict[str, dict[str, str]] | None:
    """`read_columns` of a table, if there is one."""
    return None if path is None else read_columns(path)


def store_columns(out: Path, columns: Columns) -> None:
    """Write the groups of the cases of a run to its folder."""
    write_json(out / FILE, columns)


def stored_columns(out: Path) -> Columns:
    """The groups of the cases of a run; none if it was run without a table."""
    return read_json(out / FILE) or {}


def groups_of(sizes_ml: Mapping[Key, float | None], columns: Columns) -> list[Group]:
    """The groups of a run: thirds by size where there are three sizes, then those of columns.

    Parameters
    ----------
    sizes_ml
        Each structure of each case with its volume in the labels, if known.
    """
    groups = _by_size({key: size for key, size in sizes_ml.items() if size is not None})
    for column, group_of in columns.items():
        members: dict[str, set[Key]] = {}
        for key in sizes_ml:
            if key[0] in group_of:
                members.setdefault(group_of[key[0]], set()).add(key)
        groups += [Group(column, name, frozenset(members[name])) for name in sorted(members)]
    return groups


def _by_size(sizes_ml: Mapping[Key, float]) -> list[Group]:
    if len(set(sizes_ml.values())) < len(SIZES):
        return []
    order: Sequence[Key] = sorted(sizes_ml, key=lambda key: (sizes_ml[key], key))
    ends = [len(order) * part // len(SIZES) for part in range(len(SIZES) + 1)]
    groups = []
    for name, start, stop in zip(SIZES, ends[:-1], ends[1:], strict=True):
        keys = order[start:stop]
        limits = f"{sizes_ml[keys[0]]:.3g} to {sizes_ml[keys[-1]]:.3g} mL"
        groups.append(Group(SIZE, f"{name} ({limits})", frozenset(keys)))
    return groups
