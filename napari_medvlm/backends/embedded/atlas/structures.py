"""The structures of the brain atlas: where each lies in MNI space."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray

Tissue = Literal["", "fluid", "grey", "white", "brain"]


@dataclass(frozen=True, eq=False)
class Structure:
    """A structure of the brain.

    Parameters
    ----------
    name
        With its side: "left hippocampus".
    tissue
        What all of it consists of and nothing else in its box does: its mask follows from the
        template's map of that tissue. Empty: only its box is known.
    box_mm
        ``(2, 3)``: lowest and highest ``(S, P, L)`` in millimetres of MNI space.
    source
        The atlas that it was measured in.
    parts_mm
        ``(N, 2, 3)``: boxes like `box_mm` that hold the structure together, for those whose box
        holds other fluid too; their mask is the tissue in these.
    """

    name: str
    tissue: Tissue
    box_mm: FloatArray
    source: str
    parts_mm: FloatArray


@cache
def structures() -> dict[str, Structure]:
    """All structures by name, as ``structures.tsv`` and ``parts.tsv`` have them."""
    parts: dict[str, list[FloatArray]] = {}
    for row in _rows("parts.tsv"):
        parts.setdefault(row["name"], []).append(_box(row))
    return {row["name"]: _structure(row, parts) for row in _rows("structures.tsv")}


def _rows(file: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(file).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def _structure(row: dict[str, str], parts: dict[str, list[FloatArray]]) -> Structure:
    tissue: Tissue = row["tissue"]  # type: ignore[assignment]  # the file is ours, and tested
    box = _box(row)
    return Structure(
        row["name"], tissue, box, row["source"], np.stack(parts.get(row["name"], [box]))
    )


def _box(row: dict[str, str]) -> FloatArray:
    ends = [float(row[f"{axis}_{end}_mm"]) for end in ("low", "high") for axis in ("s", "p", "l")]
    return np.reshape(ends, (2, 3))
