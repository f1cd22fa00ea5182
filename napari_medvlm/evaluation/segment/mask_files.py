"""The predicted masks of a run as NIfTI files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_medvlm.evaluation.runs.run_folder import safe
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case
from napari_medvlm.evaluation.segment.outcomes import Outcome


def mask_path(out: Path, case: str, structure: str) -> Path:
    """The path of the predicted mask of a structure of a case."""
    return out / "masks" / safe(case) / f"{safe(structure)}.nii.gz"


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

    for case, outcome in scored:
        volume = load(case).volume
        for attempt in outcome.attempts:
            mask = np.zeros(volume.shape, bool)
            if attempt.mask is not None:
                mask = attempt.mask.mask(volume.grid).full()
            path = mask_path(out, outcome.case, attempt.structure)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, mask, volume)
