"""A fetched series as a layer, as the reader makes one; a report as the lines that it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.errors import IrregularSlices
from napari_medvlm.geometry import Grid
from napari_medvlm.io import Gaps, read_volume
from napari_medvlm.io.archives import StudySeries
from napari_medvlm.io.dicom_seg import read_seg
from napari_medvlm.io.dicom_sr import read_sr
from napari_medvlm.io.rtstruct_reading import read_on_series
from napari_medvlm.layers import labels_data, layer_data

SEG, REPORT, STRUCTURES = "SEG", "SR", "RTSTRUCT"
WORDS = {
    "volume_ml": "volume {:.2f} mL",
    "longest_axial_mm": "longest in an axial slice {:.1f} mm",
    "perpendicular_axial_mm": "across it {:.1f} mm",
    "sd": "SD {:.5g}",
}
"""How a column of a table is told, in this order; any other by its name."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What a series is to the viewer: layers, the values of a report, or a question.

    Parameters
    ----------
    problem
        Slices are missing: a person must say what to do about it.
    notes
        What was left out or changed in reading, a sentence each.
    """

    series: StudySeries
    layers: tuple[Any, ...] = ()
    values: tuple[Mapping[str, Any], ...] = ()
    problem: IrregularSlices | None = None
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The measurements of a report, an object a line; and the notes."""
        return (*map(_line, self.values), *self.notes)


def open_series(folder: Path, series: StudySeries, gaps: Gaps, grids: Mapping[str, Grid]) -> Opened:
    """Read a series that lies in a folder; takes a while.

    Parameters
    ----------
    grids
        Of the series that are open, by their UIDs: outlines are read onto theirs.

    Raises
    ------
    InvalidImage
        If it cannot be read.
    """
    if series.modality not in (SEG, REPORT, STRUCTURES):
        try:
            volume = read_volume(folder, series=series.uid, gaps=gaps)
        except IrregularSlices as problem:
            return Opened(series, problem=problem)
        return Opened(series, (layer_data(volume),))
    files = [path for path in sorted(folder.iterdir()) if _is_of(path, series)]
    if series.modality == SEG:
        return Opened(series, tuple(labels_data(read_seg(file)) for file in files))
    if series.modality == STRUCTURES:
        drawn = [read_on_series(file, grids) for file in files]
        notes = tuple(note for named in drawn for note in named.notes)
        return Opened(series, tuple(map(labels_data, drawn)), notes=notes)
    return Opened(series, values=tuple(value for file in files for value in read_sr(file)))


def _is_of(path: Path, series: StudySeries) -> bool:
    from napari_medvlm.io.dicom_folder import is_dicom
    from napari_medvlm.io.dicom_header import read_header, text

    if not is_dicom(path):
        return False
    return text(read_header(path, ["SeriesInstanceUID"]), "SeriesInstanceUID") == series.uid


def _line(found: Mapping[str, Any]) -> str:
    order = [*(name for name in WORDS if name in found), *(n for n in found if n not in WORDS)]
    told = [WORDS.get(n, n + " {:.5g}").format(found[n]) for n in order if n != "name"]
    return f"{found['name']}: {', '.join(told)}"
