"""Distances and angles between marked points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.measurements.csv_file import write_table

ENDS = tuple(f"{point}_{axis}_mm" for point in ("first", "second", "third") for axis in "spl")
COLUMNS = ("name", "length_mm", "angle_deg", *ENDS)
"""Of the table of lines; the third point is that of an angle, whose corner is the second."""


@dataclass(frozen=True, eq=False)
class Ruler:
    """A line through two points or more; through three it is an angle.

    Parameters
    ----------
    name
        For people.
    points_mm
        ``(N, 3)``: points ``(S, P, L)`` in patient millimetres.
    in_mm
        Whether the image states its voxel size along the line; otherwise 1 mm is assumed, and
        lengths are in pixels.
    """

    name: str
    points_mm: FloatArray
    in_mm: bool = True

    @property
    def length_mm(self) -> float:
        """From the first point to the last along all between; not a number without voxel size."""
        return self._length if self.in_mm else float("nan")

    @property
    def _length(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())

    @property
    def angle_deg(self) -> float:
        """At the second of three points; not a number if there are not three, or two are equal."""
        if len(self.points_mm) != 3:
            return float("nan")
        first_arm, second_arm = self.points_mm[[0, 2]] - self.points_mm[1]
        long = float(np.linalg.norm(first_arm) * np.linalg.norm(second_arm))
        if not long:
            return float("nan")
        return float(np.degrees(np.arccos(np.clip(first_arm @ second_arm / long, -1, 1))))

    @property
    def text(self) -> str:
        """The angle, else the length, as it stands at the line."""
        angle = self.angle_deg
        unit = "mm" if self.in_mm else "px"
        return f"{self._length:.1f} {unit}" if np.isnan(angle) else f"{angle:.1f}°"


def write_rulers(path: str | Path, rulers: Sequence[Ruler]) -> None:
    """Write lines and angles as a table that spreadsheets read.

    Raises
    ------
    CannotSave
        If the file cannot be written.
    """
    write_table(Path(path).expanduser(), list(COLUMNS), map(_cells, rulers))


def _cells(ruler: Ruler) -> list[str | float]:
    places = ruler.points_mm[:3].ravel()
    values = (ruler.length_mm, ruler.angle_deg)
    figures = ["" if np.isnan(value) else round(value, 4) for value in values]
    return [ruler.name, *figures, *(round(float(v), 4) for v in places)]
