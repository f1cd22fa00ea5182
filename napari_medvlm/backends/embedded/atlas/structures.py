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
    """

    name: str
    tissue: Tissue
    box_mm: FloatArray
    source: str


@cache
def structures() -> dict[str, Structure]:
    """All structures by name, as ``structures.tsv`` has them."""
    text = files(__package__).joinpath("structures.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {row["name"]: _structure(row) for row in rows}


def _structure(row: dict[str, str]) -> Structure:
    ends = [float(row[f"{axis}_{end}_mm"]) for end in ("low", "high") for axis in ("s", "p", "l")]
    tissue: Tissue = row["tissue"]  # type: ignore[assignment]  # the file is ours, and tested
    return Structure(row["name"], tissue, np.reshape(ends, (2, 3)), row["source"])
