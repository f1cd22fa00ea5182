"""Label images with names: the image, and the table of names that lies next to it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import Grid, placed, require_same_grid, same_grid
from napari_medvlm.data.label_image import NamedLabels, flattened, overlap_notes
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.header import read_header, sop_class
from napari_medvlm.io.dicom_objects.rtstruct_read import is_rtstruct, read_rtstruct
from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg
from napari_medvlm.io.embedded_names import embedded_names, has_layers, slicer_segments
from napari_medvlm.io.label_values import whole_numbers
from napari_medvlm.io.medical_images import MEDICAL, read_image

TABLES = (".json", ".tsv", ".csv", ".txt", ".label")
"""Endings of tables of names, in the order in which they are looked for."""
ITK_SNAP = re.compile(r'^\s*(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+\d\s+\d\s+"(.*)"\s*$')
"""A line of an ITK-SNAP label file: index, colour, opacity, two flags, the name in quotes."""
FREESURFER = re.compile(r"^\s*(\d+)\s+(\S+)(?:\s+\d+){4}\s*$")
"""A line of FreeSurfer's table of colours: value, name, red, green, blue, transparency."""


def read_labels(
    path: str | Path, table: str | Path | None = None, grid: Grid | None = None
) -> NamedLabels:
    """Read a label image and its names.

    Parameters
    ----------
    path
        NIfTI, MGH, NRRD or MetaImage with whole numbers, or a DICOM segmentation or structure set,
        which has its own names.
    table
        Its names: JSON (``{"1": "liver"}``, ``{"liver": 1}``, or such a mapping under ``labels``,
        as nnU-Net's ``dataset.json`` has it), a TSV or CSV with a column of values and one of names
        (as TotalSegmentator and BIDS write it), an ITK-SNAP label file or FreeSurfer's table of
        colours. By default the file of the image's name with one of those endings, then the names
        that the image's own header has (3D Slicer's ``.seg.nrrd``, TotalSegmentator's NIfTI).
        Without effect on a segmentation of 3D Slicer in several layers.
    grid
        The voxels of the image: a structure set has none of its own, a segmentation may have only
        some of its slices.

    Raises
    ------
    InvalidImage
        If there is no table, it cannot be read, or the image does not hold labels.
    """
    path = Path(path).expanduser()
    if is_seg(path):
        return read_seg(path, grid)
    if is_rtstruct(path):
        return _structures(path, grid)
    if has_layers(path):
        return _layered(path)
    table_path = Path(table) if table is not None else _adjacent_table(path)
    colors: Mapping[int, str] = {}
    if table_path is not None:
        names = read_names(table_path)
    else:
        names, colors = embedded_names(path)
    if not names:
        raise _no_names(path)
    values, volume = _labels(path)
    return NamedLabels(values, volume.grid, names, path.name, colors, volume.notes)


def write_names(path: str | Path, names: Mapping[int, tuple[str, str]]) -> Path:
    """Write a table of names next to a label image, as BIDS has it; `read_labels` finds it there.

    Parameters
    ----------
    path
        The label image.
    names
        Name and colour (``#rrggbb``) of each value.

    Returns
    -------
    The table's path: the image's, ending in ``.tsv``.

    Raises
    ------
    CannotSave
        If it cannot be written.
    """
    table = Path(path).with_name(f"{_stem(Path(path))}.tsv")
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(("index", "name", "color"))
    writer.writerows((value, " ".join(n.split()), c) for value, (n, c) in names.items())
    write_text(table, text.getvalue())
    return table


def read_masks(path: str | Path, grid: Grid) -> NamedLabels:
    """The objects of a label image, DICOM segmentation or structure set on an image's grid.

    Parameters
    ----------
    path
        As of `read_labels`; without a table of names, objects are named after the file.

    Raises
    ------
    GeometryMismatch
        If its voxels are not the image's.
    InvalidImage
        If it cannot be read, or holds no labels.
    """
    path = Path(path).expanduser()
    _require_objects(path)
    stem = _stem(path)
    has_names = _adjacent_table(path) is not None or bool(embedded_names(path)[0])
    if is_seg(path) or is_rtstruct(path) or has_names:
        named = read_labels(path, grid=grid)
    else:
        labels, volume = _labels(path)
        present = [int(v) for v in np.unique(labels) if v]
        names = {v: stem if len(present) == 1 else f"{stem} {v}" for v in present}
        named = NamedLabels(labels, volume.grid, names, path.name, notes=volume.notes)
    if same_grid(named.grid, grid):
        return replace(named, grid=grid)

    def move(values: NDArray[Any]) -> NDArray[Any]:
        on_grid = placed(values, named.grid, grid)
        if on_grid is None:
            require_same_grid(named.grid, grid, f"The mask {path.name}")
        return values if on_grid is None else on_grid

    moved = named.moved(grid, move)
    before, after = (int(np.count_nonzero(labels.values)) for labels in (named, moved))
    if before == after:
        return moved
    lost = f"{before - after} of {before} voxels of {path.name} lie outside the image, left out."
    return replace(moved, notes=(*moved.notes, lost))


def _require_objects(path: Path) -> None:
    """Raise an error that says what a file without labels is."""
    holds = ""
    if path.is_dir():
        holds = "is a folder"
    elif path.name.lower().endswith(".stl"):
        holds = "holds a surface, which has no voxels"
    elif is_dicom(path) and not is_seg(path) and not is_rtstruct(path):
        header = read_header(path)
        if header.get("Rows") is None:
            holds = f"holds no objects ({sop_class(header) or 'unknown kind'})"
    if holds:
        raise InvalidImage(
            f"{path.name} {holds}.",
            "Choose a DICOM segmentation or structure set, NIfTI, NRRD or MetaImage.",
        )


def read_names(path: Path) -> Mapping[int, str]:
    """The name of each label value; errors as of `read_labels`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidImage(f"There is no table of names {path}.", "Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidImage(
            f"The table of names {path.name} cannot be read.", "Choose a text file."
        ) from error
    try:
        names = _from_json(text) if path.suffix == ".json" else _from_lines(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise InvalidImage(
            f"{path.name} is no table of label names: {error}.",
            "Write one value and name per line.",
        ) from error
    if not names:
        raise InvalidImage(f"{path.name} contains no label.", "Write one value and name per line.")
    return names


def _structures(path: Path, grid: Grid | None) -> NamedLabels:
    if grid is None:
        raise InvalidImage(
            f"{path.name} holds outlines, which have no voxels of their own.",
            "Load the image that they were drawn on, and read them with its grid.",
        )
    return read_rtstruct(path, grid)


def _labels(path: Path) -> tuple[NDArray[np.integer], Volume]:
    volume = read_image(path, None)
    values = whole_numbers(volume.data)
    if values is None:
        raise InvalidImage(f"{path.name} holds no labels but fractions.", "Choose labels.")
    return values, volume


def _layered(path: Path) -> NamedLabels:
    """A segmentation of 3D Slicer in several volumes, whose segments may overlap.

    A segment has the value of its layer, or its number from 1 where two of them have one value.
    """
    segments = slicer_segments(path)
    values = [segment.value for segment in segments]
    if len(set(values)) < len(values):
        values = list(range(1, len(values) + 1))
    layers = {layer: read_image(path, layer) for layer in sorted({s.layer for s in segments})}
    masks = {
        value: Mask.of(layers[segment.layer].data == segment.value)
        for value, segment in zip(values, segments, strict=True)
    }
    volume = next(iter(layers.values()))
    sizes = {value: mask.voxels for value, mask in masks.items()}
    labels, covered = flattened(sizes, masks.__getitem__, volume.shape)
    named = NamedLabels(
        labels,
        volume.grid,
        {value: segment.name for value, segment in zip(values, segments, strict=True)},
        path.name,
        {v: segment.color for v, segment in zip(values, segments, strict=True) if segment.color},
        covered=covered,
    )
    return replace(named, notes=(*volume.notes, *overlap_notes(named)))


def _no_names(path: Path) -> InvalidImage:
    stem = _stem(path)
    return InvalidImage(
        f"There is no table of names next to {path.name}.",
        f"Add one named {stem}.json, {stem}.tsv or {stem}.txt.",
    )


def _adjacent_table(path: Path) -> Path | None:
    candidates = (path.with_name(_stem(path) + ending) for ending in TABLES)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _stem(path: Path) -> str:
    stem = path.name
    for ending in MEDICAL:
        stem = stem.removesuffix(ending)
    return stem


def _from_json(text: str) -> dict[int, str]:
    content = json.loads(text)
    if isinstance(content, dict) and isinstance(content.get("labels"), dict):
        content = content["labels"]
    if not isinstance(content, dict):
        raise ValueError("it is not a mapping of values and names")
    names = {}
    for key, value in content.items():
        if isinstance(value, str):
            names[int(key)] = value
        elif isinstance(value, int):
            names[value] = str(key)
        elif not isinstance(value, list):  # nnU-Net's regions: several labels, each named elsewhere
            raise ValueError(f"{key!r} has neither a name nor a value")
    return names


def _from_lines(text: str) -> dict[int, str]:
    """Lines of ITK-SNAP or FreeSurfer, or columns parted by tabs, commas, semicolons or blanks."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for form in (ITK_SNAP, FREESURFER):
        matches = [match for line in lines if (match := form.match(line))]
        if matches and len(matches) == len(lines):
            return {int(m[1]): m[2] for m in matches}
    parting = next((mark for mark in "\t;," if any(mark in line for line in lines)), None)
    if parting is None:
        return _from_rows([line.split(maxsplit=1) for line in lines])
    rows = csv.reader(lines, delimiter=parting, skipinitialspace=True)
    return _from_rows([[cell.strip() for cell in row] for row in rows])


def _from_rows(rows: list[list[str]]) -> dict[int, str]:
    """The first column of whole numbers, and the first of texts (or the one headed name)."""
    first = rows[0] if rows else []
    head = [] if any(cell.isdigit() for cell in first) else [cell.lower() for cell in first]
    body = rows[1:] if head else rows
    if not body:
        return {}
    value_at = next((i for i, cell in enumerate(body[0]) if cell.lstrip("-").isdigit()), None)
    name_at = next((i for i, cell in enumerate(head) if "name" in cell or cell == "label"), None)
    if name_at is None or name_at == value_at:
        name_at = next(
            (i for i, c in enumerate(body[0]) if i != value_at and not _is_number(c)), None
        )
    if value_at is None or name_at is None:
        raise ValueError("it has no column of values and one of names")
    return {int(row[value_at]): row[name_at] for row in body if len(row) > max(value_at, name_at)}


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+\d.eE]*\d[-+\d.eE]*", text) is not None
