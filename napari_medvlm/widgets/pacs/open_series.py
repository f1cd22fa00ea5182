"""A fetched series as a layer, as the reader makes one; a report as the lines that it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import IrregularSlices, SeveralVolumes
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import read_volume
from napari_medvlm.io.archive.base import StudySeries
from napari_medvlm.io.dicom_objects.frame_of_reference import open_image_notes
from napari_medvlm.io.dicom_objects.rtstruct_read import read_on_series
from napari_medvlm.io.dicom_objects.seg_read import read_seg_on_series
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.io.dicom_objects.sr_read import read_evaluations, read_sr, series_of_report
from napari_medvlm.layers import labels_data, layer_data
from napari_medvlm.widgets.parts.read_choices import ReadChoices, Unclear

SEG, REPORT, STRUCTURES = "SEG", "SR", "RTSTRUCT"
WORDS = {
    "volume_ml": "volume {:.2f} mL",
    "longest_axial_mm": "longest axial {:.1f} mm",
    "perpendicular_axial_mm": "perpendicular {:.1f} mm",
    "sd": "SD {:.5g}",
}
"""The heading of a column of a table, in this order; any other by its name."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What a series is to the viewer: layers, the values of a report, or a question.

    Parameters
    ----------
    problem
        Slices are missing, or there are several volumes: a person must choose.
    choices
        What was chosen so far.
    notes
        What was left out or changed in reading, a sentence each.
    evaluations, about
        Content of a report besides measurements, and the UIDs of the series that it rests on.
    """

    series: StudySeries
    layers: tuple[Any, ...] = ()
    values: tuple[Mapping[str, Any], ...] = ()
    problem: Unclear | None = None
    choices: ReadChoices = field(default_factory=ReadChoices)
    notes: tuple[str, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    about: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What a report says, an object, a finding or an answer a line; and the notes."""
        lines = (f"{e.question}: {e.sentence}" for e in self.evaluations)
        return (*map(_line, self.values), *lines, *self.notes)


def open_series(
    folder: Path,
    series: StudySeries,
    choices: ReadChoices,
    grids: Mapping[str, Grid],
    volumes: Sequence[Volume] = (),
) -> Opened:
    """Read a series that lies in a folder; takes a while.

    Parameters
    ----------
    grids
        Of the series that are open, by their UIDs: objects are read onto theirs.
    volumes
        Those series: a note says if objects have another frame of reference than all of them.

    Raises
    ------
    InvalidImage
        If it cannot be read.
    """
    if series.modality not in (SEG, REPORT, STRUCTURES):
        try:
            volume = read_volume(folder, series=series.uid, frame=choices.frame, gaps=choices.gaps)
        except (IrregularSlices, SeveralVolumes) as problem:
            return Opened(series, problem=problem, choices=choices)
        return Opened(series, (layer_data(volume),))
    files = [path for path in sorted(folder.iterdir()) if _is_of(path, series)]
    if series.modality in (SEG, STRUCTURES):
        read = read_seg_on_series if series.modality == SEG else read_on_series
        drawn = [read(file, grids) for file in files]
        notes = tuple(note for file in files for note in open_image_notes(file, volumes))
        notes += tuple(note for named in drawn for note in named.notes)
        return Opened(series, tuple(_titled(named, series) for named in drawn), notes=notes)
    return Opened(
        series,
        values=tuple(value for file in files for value in read_sr(file)),
        evaluations=tuple(item for file in files for item in read_evaluations(file)),
        about=tuple(uid for file in files for uid in series_of_report(file)),
    )


def _titled(named: NamedLabels, series: StudySeries) -> Any:
    """A layer called after the series: files from a server have no names for people."""
    title = f"{series.modality}: {series.description}" if series.description else named.title
    return labels_data(replace(named, title=title))


def _is_of(path: Path, series: StudySeries) -> bool:
    from napari_medvlm.io.dicom.folder import is_dicom
    from napari_medvlm.io.dicom.header import read_header, text

    if not is_dicom(path):
        return False
    return text(read_header(path, ["SeriesInstanceUID"]), "SeriesInstanceUID") == series.uid


def _line(measurement: Mapping[str, Any]) -> str:
    order = [
        *(name for name in WORDS if name in measurement),
        *(n for n in measurement if n not in WORDS),
    ]
    parts = [WORDS.get(n, n + " {:.5g}").format(measurement[n]) for n in order if n != "name"]
    return f"{measurement['name']}: {', '.join(parts)}"
