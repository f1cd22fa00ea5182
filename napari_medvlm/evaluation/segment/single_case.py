"""A run on disk of a single case that was measured in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.data.errors import InvalidImage, MedVLMError
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.runs.evaluate import task_provenance, write_results
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import RunFolder, alone_in
from napari_medvlm.evaluation.runs.runner import run_settings, store
from napari_medvlm.evaluation.runs.task import Results
from napari_medvlm.evaluation.segment.cases import Case, Layout, Structure
from napari_medvlm.evaluation.segment.evaluate import DataSet
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.task import TASK
from napari_medvlm.io import read_volume, write_mask
from napari_medvlm.io.writers import write_image


def write_single(  # what was measured, and where to
    out: Path,
    plan: Plan,
    volume: Volume,
    structure: Structure,
    truth: BoolArray,
    attempt: Attempt,
) -> dict[str, Any]:
    """Write what `run.run` leaves for a data set of this one case; the summary.

    The truth is written next to it, and the image too unless its file is still what was measured.

    Raises
    ------
    SettingsError
        If the folder holds a run with other settings.
    CannotSave
        If the folder cannot be written to, or another run writes there.
    InvalidImage
        If it is a colour picture that is in no file.
    """
    require_libraries("surface_distance")
    case = Case(
        name=volume.name, image=out / "image.nii.gz", labels=out / "truth.nii.gz",
        layout=Layout.PAIRS, structures=(structure,),
    )  # fmt: skip
    if _is_in_its_file(volume):
        case = case.model_copy(update={"image": volume.source})
    data = DataSet(Layout.PAIRS, case.image, case.labels)
    record = {"data": data.record(), "provenance": task_provenance(TASK, plan)}
    with alone_in(out):
        folder = RunFolder(out, run_settings(TASK, plan, record))
        if case.image != volume.source:
            _write_image(case.image, volume)
        write_mask(case.labels, truth * np.uint16(structure.values[0]), volume)
        stored = store(TASK, folder, case, Outcome(case=case.name, attempts=(attempt,)))
        return write_results(TASK, Results(out, plan, [(case, stored)]))


def _is_in_its_file(volume: Volume) -> bool:
    if volume.source is None or not volume.source.exists():
        return False
    try:
        return read_volume(volume.source).digest == volume.digest
    except MedVLMError:
        return False


def _write_image(path: Path, volume: Volume) -> None:
    if volume.is_color:
        raise InvalidImage(
            f"{volume.name} is a colour picture that is in no file.",
            "Save it as a picture, open that, and evaluate again.",
        )
    write_image(path, volume)
