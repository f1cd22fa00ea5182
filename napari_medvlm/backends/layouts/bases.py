"""Models that other models are built on, among those on this computer."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.models import hub_cache, local
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.shell import quoted


def base_folder(name: str) -> Path:
    """The folder of a base model, by its hub id or the name that it was added by.

    Raises
    ------
    BackendUnavailable
        If it is not on this computer.
    """
    short = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower()
    for entry in local.added().values():
        if short in (entry.name.lower(), entry.path.name.lower()) and entry.path.is_dir():
            return entry.path
    downloaded = hub_cache.folder_of(name)
    if downloaded is not None:
        return downloaded
    raise BackendUnavailable(
        f"The model is built on {name}, which is not on this computer.",
        f"Download it first: napari-medvlm models download {quoted(name)}. If its hub page has "
        "no safetensors, add a folder of that name: napari-medvlm models add FOLDER --backend "
        "similarity",
    )
