"""Masks made by another program, scored as a run of segmentation with one step for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.geometry.grid import Grid, require_same_grid
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.evaluation.metrics.segmentation import scores
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase
from napari_medvlm.evaluation.runs.evaluate import write_results
from napari_medvlm.evaluation.runs.provenance import library_versions
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import RunFolder, alone_in
from napari_medvlm.evaluation.runs.runner import require_measured, run_settings, store
from napari_medvlm.evaluation.runs.task import Results
from napari_medvlm.evaluation.segment.case_reader import integer_labels_of, load
from napari_medvlm.evaluation.segment.cases import Case, Layout, Structure, present
from napari_medvlm.evaluation.segment.datasets import PairKind, find_cases
from napari_medvlm.evaluation.segment.mask_files import (
    is_mask_folder,
    stored_structures,
    structure_mask,
)
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome, Step
from napari_medvlm.evaluation.segment.plan import LIBRARIES, MASKS, Plan
from napari_medvlm.evaluation.segment.task import TASK
from napari_medvlm.evaluation.studies.strata import Columns, store_columns
from napari_medvlm.io import read_volume
from napari_medvlm.io.dicom.folder import holds_dicom

Json = dict[str, Any]
MASK_FILES = PairKind(
    first="mask",
    no_case="Give a folder with a label image, or a folder of masks, for each case, named like the "
    "reference; other names with --mask-pattern and --label-pattern.",
    same_file="Give two folders, or distinguish the files with --mask-pattern and --label-pattern.",
    is_folder=lambda path: holds_dicom(path) or is_mask_folder(path),
)
PICTURES = PairKind(
    no_case="Give images that are named like the reference, or leave out --images: the images are "
    "for the pictures in the report only.",
    same_file="Leave out --images: the images are for the pictures in the report only.",
)


@dataclass(frozen=True)
class MaskFolders:
    """Predicted and reference label images with the same values, paired by their names.

    Instead of a label image, a case may have a folder with a mask for each structure, as the
    masks of a run have. Names of structures are those in ``names``, else those in the file
    `mask_files.STRUCTURES`.

    Attributes
    ----------
    images
        Folder of the images, named like the labels, for pictures in the report.
    patterns
        File names of masks and of labels, see `datasets.find_cases`.
    """

    masks: Path
    labels: Path
    images: Path | None = None
    names: Mapping[int, str] | None = None
    patterns: tuple[str, str] = ("{case}", "{case}")

    def find(self) -> Cases[Case]:
        """Its cases, whose ``image`` is the predicted mask; errors as of `find_cases`."""
        dataset = find_cases(
            Layout.PAIRS, self.masks.absolute(), self.labels.absolute(),
            patterns=self.patterns, names=self.names, pair=MASK_FILES,
        )  # fmt: skip
        structures = () if self.names else stored_structures(self.masks)
        if not structures:
            return dataset
        cases = (case.model_copy(update={"structures": structures}) for case in dataset.cases)
        return Cases(tuple(cases), dataset.skipped)

    def images_by_case(self) -> dict[str, Path]:
        """The image of each case, if there is a folder of them; errors as of `find_cases`."""
        if self.images is None:
            return {}
        paths = self.images.absolute(), self.labels.absolute()
        patterns = "{case}", self.patterns[1]
        dataset = find_cases(Layout.PAIRS, *paths, patterns=patterns, pair=PICTURES)
        return {case.name: case.image for case in dataset.cases}

    def record(self) -> Json:
        """The folders as a run records them."""
        images = None if self.images is None else str(self.images.resolve())
        folders = {"masks": str(self.masks.resolve()), "labels": str(self.labels.resolve())}
        return {**folders, "images": images, "patterns": list(self.patterns)}


def plan_of(structures: Sequence[str] = (), tolerance_mm: float = 2.0) -> Plan:
    """The plan of a run of masks."""
    return Plan(
        backend=MASKS, interactions=1, tolerance_mm=tolerance_mm, structures=tuple(structures)
    )


def score_masks(
    folders: MaskFolders, plan: Plan, out: Path, progress: Progress, columns: Columns | None = None
) -> Json:
    """Score label images against reference labels and write everything; the summary.

    Only structures that the reference has are scored. The result is a run of one interaction that
    can be compared with runs of backends.

    Parameters
    ----------
    plan
        As of `plan_of`.
    columns
        Groups of cases that have means of their own.

    Raises
    ------
    InvalidReference
        If no mask has labels, or none could be scored.
    CannotSave
        If the folder cannot be written to, or another run writes there.
    """
    require_libraries("surface_distance")
    dataset, of_image = folders.find(), folders.images_by_case()
    record = {"data": folders.record(), "provenance": library_versions(LIBRARIES)}
    scored, skipped = [], list(dataset.skipped)
    with alone_in(out):
        folder = RunFolder(out, run_settings(TASK, plan, record))
        for number, pair in enumerate(dataset.cases):
            progress(number / len(dataset.cases), pair.name)
            case = pair.model_copy(update={"image": of_image.get(pair.name, pair.labels)})
            try:
                outcome = _scored(case, pair.image, plan)
            except MedVLMError as error:
                skipped.append(SkippedCase(pair.name, error.message))
                continue
            scored.append((case, store(TASK, folder, case, outcome)))
        if columns is not None:
            store_columns(out, columns)
        summary = write_results(TASK, Results(out, plan, scored, skipped))
    require_measured(bool(summary["structures"]), skipped, out)
    return summary


def _masks(path: Path, grid: Grid) -> Callable[[Structure], BoolArray]:
    """The mask of each structure in a label image or a folder; errors as of `structure_mask`."""
    if is_mask_folder(path):
        return partial(structure_mask, path, grid=grid)
    image = read_volume(path)
    require_same_grid(grid, image.grid, f"The mask {path.name}")
    predicted = integer_labels_of(image, path)
    return lambda structure: np.isin(predicted, structure.values)


def _scored(case: Case, mask_path: Path, plan: Plan) -> Outcome:
    """The scores of all structures of a case; errors as of `case_reader.load`."""
    loaded = load(case)
    mask_of = _masks(mask_path, loaded.volume.grid)
    voxel_ml = loaded.volume.grid.voxel_ml
    attempts, absent = [], []
    for structure in present(case, loaded, plan.structures):
        truth = loaded.truth(structure)
        if not truth.any():
            absent.append(structure.name)
            continue
        mask = mask_of(structure)
        own = scores(mask, truth, loaded.volume.spacing, plan.tolerance_mm)
        step = Step(prompt="", positive=True, zyx=None, seconds=None, **asdict(own))
        attempts.append(
            Attempt(
                structure=structure.name, steps=(step,), memory_mib=None,
                mask=InitialMask.of(loaded.volume, mask) if mask.any() else None,
                truth_ml=int(np.count_nonzero(truth)) * voxel_ml,
            )
        )  # fmt: skip
    return Outcome(case=case.name, attempts=tuple(attempts), absent=tuple(absent))
