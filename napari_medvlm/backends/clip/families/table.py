"""Which family of models has the files of a folder."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.clip.families.biovil import BioVilModel, biovil_files
from napari_medvlm.backends.clip.families.concept_clip import ConceptClipModel
from napari_medvlm.backends.clip.families.flair import FlairModel, flair_file
from napari_medvlm.backends.clip.families.medimageinsight import (
    MedImageInsightModel,
    medimageinsight_files,
)
from napari_medvlm.backends.model_code.code_folder import code_to_run
from napari_medvlm.backends.model_code.loader import load_code

FamilyModel = FlairModel | BioVilModel | ConceptClipModel | MedImageInsightModel


def load_family(folder: Path, device: str) -> FamilyModel | None:
    """The model of a folder in the files of its authors; `None`: it has none of the families.

    BioViL is published with code, which is not run.

    Raises
    ------
    BackendUnavailable
        If weights are missing or do not fit, or the code that a model needs is not trusted.
    """
    checkpoint = flair_file(folder)
    if checkpoint is not None:
        return FlairModel(folder, checkpoint, device)
    files = biovil_files(folder)
    if files is not None:
        return BioVilModel(folder, files, device)
    insight = medimageinsight_files(folder)
    if insight is not None:
        return MedImageInsightModel(insight, device)
    code = code_to_run(folder)
    return None if code is None else ConceptClipModel(load_code(code, device))
