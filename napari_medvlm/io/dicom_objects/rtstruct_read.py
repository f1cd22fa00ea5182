"""DICOM structure sets (RTSTRUCT), also those of others, as masks on the grid of their image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels, flattened, overlap_notes
from napari_medvlm.data.mask import Mask
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.header import (
    COPY_AGAIN,
    guarded,
    read_header,
    sop_class,
    text,
)
from napari_medvlm.io.dicom.read import read_dicom
from napari_medvlm.io.dicom_objects.assumptions import frame_notes, gap_notes, slices_lacking
from napari_medvlm.io.dicom_objects.rtstruct_outlines import voxels_of

if TYPE_CHECKING:
    from pydicom import Dataset

CUT = "The file may be cut off: its last part, which says what each region is, is missing."
NO_SERIES = "{} names no series that it was drawn on: it is laid over the only open one."


@dataclass(frozen=True, eq=False)
class Roi:
    """A region of interest of a structure set.

    Parameters
    ----------
    name
        For people.
    color
        ``#rrggbb``; empty: none is stated.
    mask
        On the image's grid.
    """

    name: str
    color: str
    mask: Mask


@dataclass(frozen=True, eq=False)
class StructureSet:
    """What a structure set holds.

    Parameters
    ----------
    rois
        By number; they may overlap.
    notes
        What was left out or moved, a sentence each.
    """

    rois: dict[int, Roi]
    notes: tuple[str, ...]


def is_rtstruct(path: Path) -> bool:
    """Whether a file is a DICOM structure set."""
    return is_dicom(path) and "Structure Set" in sop_class(read_header(path, ["SOPClassUID"]))


def series_of(path: Path) -> tuple[str, ...]:
    """The UIDs of the series that a structure set was drawn on."""
    dataset = _read(path)
    return tuple(
        text(series, "SeriesInstanceUID")
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []
        for study in frame.get("RTReferencedStudySequence") or []
        for series in study.get("RTReferencedSeriesSequence") or []
    )


def read_on_series(path: Path, grids: Mapping[str, Grid]) -> NamedLabels:
    """A structure set as labels on the series that it was drawn on, see `read_rtstruct`.

    One that names no series is laid over the only open one, and a note says so.

    Parameters
    ----------
    grids
        Of the series that are open, by their UIDs; else the series is looked for next to the file.

    Raises
    ------
    InvalidImage
        If the series is neither open nor in the same folder, none is named and not one is open,
        or as of `read_rtstruct`.
    """
    wanted = series_of(path)
    if not wanted:
        if len(grids) != 1:
            raise InvalidImage(
                f"{path.name} names no series that it was drawn on.",
                "Open that series alone, then the file.",
            )
        named = read_rtstruct(path, next(iter(grids.values())))
        return replace(named, notes=(NO_SERIES.format(path.name), *named.notes))
    for uid in wanted:
        if uid in grids:
            return read_rtstruct(path, grids[uid])
    for other in sorted(p for p in path.parent.iterdir() if p != path and is_dicom(p)):
        uid = text(read_header(other, ["SeriesInstanceUID"]), "SeriesInstanceUID")
        if uid in wanted:
            return read_rtstruct(path, read_dicom(path.parent, uid).grid)
    raise InvalidImage(
        f"{path.name} holds outlines on a series that is not open.",
        "Open that series first, or put the file into its folder.",
    )


def read_rtstruct(path: Path, grid: Grid) -> NamedLabels:
    """A structure set as labels on an image's grid.

    Regions may overlap, see `NamedLabels`; a note names those that do.

    Raises
    ------
    InvalidImage
        If it cannot be read, or no contour lies in the image.
    """
    structures = read_structure_set(path, grid)
    rois = structures.rois
    sizes = {number: roi.mask.voxels for number, roi in rois.items()}
    labels, covered = flattened(sizes, lambda number: rois[number].mask, grid.shape)
    names = {number: roi.name for number, roi in rois.items()}
    colors = {number: roi.color for number, roi in rois.items() if roi.color}
    named = NamedLabels(labels, grid, names, path.name, colors, covered=covered)
    return replace(named, notes=(*structures.notes, *overlap_notes(named)))


def read_structure_set(path: Path, grid: Grid) -> StructureSet:
    """The regions of a structure set that have a voxel of an image.

    A voxel is inside if its centre is inside one of the contours of its slice, or on the line of
    one. A contour in another is a hole, and a channel to a hole ("keyhole") is one too; contours
    that share a part are united, and one that is there twice counts once. Only of the kind
    CLOSEDPLANAR_XOR, a voxel must be inside an odd number of contours. Contours that lie between
    slices count for the nearest one; points, open contours and those in other planes are left out.
    The notes say so.

    Raises
    ------
    InvalidImage
        If it is no structure set, is damaged, or no contour lies in the image.
    """
    dataset = _read(path)
    if "Structure Set" not in sop_class(dataset):
        raise InvalidImage(
            f"{path.name} holds no structure set ({sop_class(dataset) or 'unknown kind'}).",
            "Choose a file whose modality is RTSTRUCT.",
        )
    if not dataset.get("ROIContourSequence"):
        raise InvalidImage(f"{path.name} holds no contours, or is cut off.", COPY_AGAIN)
    structures = guarded(path, lambda: _interpreted(dataset, grid))
    lacking = {roi.name: slices_lacking(roi.mask) for roi in structures.rois.values()}
    assumed = (*frame_notes(path, dataset), *gap_notes(path, "contour", lacking))
    structures = replace(structures, notes=(*structures.notes, *assumed))
    if not structures.rois:
        raise InvalidImage(
            " ".join([f"No contour of {path.name} lies in the image.", *structures.notes[:3]]),
            "Choose the image that the structures were drawn on.",
        )
    return structures


def _interpreted(dataset: Dataset, grid: Grid) -> StructureSet:
    notes = [] if dataset.get("RTROIObservationsSequence") else [CUT]
    rois = {}
    drawn = {
        str(contours.get("ReferencedROINumber")): contours
        for contours in dataset.get("ROIContourSequence") or []
    }
    described = list(dataset.get("StructureSetROISequence") or [])
    for number, roi in zip(_numbers(described), described, strict=True):
        name = text(roi, "ROIName") or f"Object {number}"
        contours = drawn.get(str(roi.get("ROINumber")))
        left_out: Counter[str] = Counter()
        mask = voxels_of((contours or {}).get("ContourSequence") or (), grid, left_out)
        notes += [_note(count, name, what) for what, count in left_out.items()]
        if mask.any():
            rois[number] = Roi(name, _color(contours), Mask.of(mask))
        else:
            notes.append(f"{name} has no voxel in the image and is left out.")
    return StructureSet(rois, tuple(notes))


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    def read() -> Dataset:
        dataset = dcmread(path, force=True, stop_before_pixels=True)
        for _ in dataset.iterall():  # values are decoded when looked at: do it here
            pass
        return dataset

    return guarded(path, read)


def _numbers(described: list[Dataset]) -> Iterable[int]:
    """Those of the file if labels can have them, else counted from 1."""
    numbers = [str(roi.get("ROINumber")) for roi in described]
    fit = [int(t) for t in numbers if t.isdecimal() and 0 < int(t) <= np.iinfo(np.uint16).max]
    return fit if len(set(fit)) == len(described) else range(1, len(described) + 1)


def _note(count: int, name: str, what: str) -> str:
    return f"{count} contour{'' if count == 1 else 's'} of {name}: {what}."


def _color(contours: Dataset | None) -> str:
    color = None if contours is None else contours.get("ROIDisplayColor")
    try:
        red, green, blue = (min(max(int(value), 0), 255) for value in color or ())
    except (TypeError, ValueError):
        return ""
    return f"#{red:02x}{green:02x}{blue:02x}"
