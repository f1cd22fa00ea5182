"""The predicted masks of a run as NIfTI files: a folder for each case, a file for each structure.

TotalSegmentator and others write their masks in the same way. `STRUCTURES` has the label values of
the structures, so that the masks can be scored against the labels again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.grid import Grid, require_same_grid
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.evaluation.references.label_objects import has_objects
from napari_medvlm.evaluation.runs.run_folder import safe, write_json
from napari_medvlm.evaluation.segment.case_reader import integer_labels_of, load
from napari_medvlm.evaluation.segment.cases import Case, Structure
from napari_medvlm.evaluation.segment.nnunet_datasets import ENDINGS
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.io.dicom.folder import holds_dicom

MASK_FOLDER = "masks"
"""Folder of the masks in that of a run."""
STRUCTURES = "structures.json"
"""File of the label values of each structure, in the folder of the masks."""
_VALUES = TypeAdapter(dict[str, tuple[int, ...]])


def mask_path(out: Path, case: str, structure: str) -> Path:
    """The path of the predicted mask of a structure of a case."""
    return out / MASK_FOLDER / safe(case) / f"{safe(structure)}.nii.gz"


def save_masks(out: Path, scored: Sequence[tuple[Case, Outcome]]) -> None:
    """Write the mask after the last interaction of each structure, on the grid of its image.

    Files that exist are overwritten; an empty mask is a file without a voxel.

    Raises
    ------
    InvalidImage
        If the image of a case cannot be read any more.
    CannotSave
        If a file cannot be written.
    """
    from napari_medvlm.io import write_mask

    values: dict[str, tuple[int, ...]] = {}
    for case, outcome in scored:
        loaded = load(case)
        volume = loaded.volume
        if not has_objects(case.labels):
            values |= {structure.name: structure.values for structure in loaded.structures}
        for attempt in outcome.attempts:
            mask = np.zeros(volume.shape, bool)
            if attempt.mask is not None:
                mask = attempt.mask.mask(volume.grid).full()
            path = mask_path(out, outcome.case, attempt.structure)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, mask, volume)
    if values:
        write_json(out / MASK_FOLDER / STRUCTURES, values)


def is_mask_folder(path: Path) -> bool:
    """Whether a path is a folder with a mask for each structure of a case."""
    if not path.is_dir() or holds_dicom(path):
        return False
    return any(file.name.endswith(ENDINGS) for file in path.iterdir())


def stored_structures(masks: Path) -> tuple[Structure, ...]:
    """The structures of a folder of masks of a run; none if they are not in a file there.

    Raises
    ------
    InvalidReference
        If the file is damaged.
    """
    path = masks / STRUCTURES
    if not path.is_file():
        return ()
    try:
        values = _VALUES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvalidReference(
            f"{path} is damaged.", "Give the names of the labels with --names."
        ) from error
    return tuple(Structure(name=name, values=own) for name, own in values.items())


def structure_mask(folder: Path, structure: Structure, grid: Grid) -> BoolArray:
    """``(z, y, x)`` bool: the mask of a structure in the folder of a case.

    Raises
    ------
    InvalidReference
        If the folder has no file of that name.
    GeometryMismatch
        If the mask is on another grid.
    InvalidImage
        If the file cannot be read, or holds fractions.
    """
    from napari_medvlm.io import read_volume

    paths = (folder / f"{safe(structure.name)}{ending}" for ending in ENDINGS)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise InvalidReference(
            f"{folder.name} has no mask {safe(structure.name)}.nii.gz.",
            "Give the names of the labels with --names, or choose with --structure.",
        )
    image = read_volume(path)
    require_same_grid(grid, image.grid, f"The mask {path.name}")
    inside: BoolArray = integer_labels_of(image, path) != 0
    return inside
