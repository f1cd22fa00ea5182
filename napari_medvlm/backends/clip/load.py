"""Load a model of transformers or open_clip from its folder."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.clip.families.table import load_family
from napari_medvlm.backends.clip.models import DOWNLOAD, ClipModel, TransformersModel
from napari_medvlm.backends.clip.open_clip_model import OpenClipModel
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

INSTALL = "Install what is needed with: pip install 'napari-medvlm[clip]'"


def load_model(folder: Path, device: str) -> ClipModel:
    """The model in a folder, whichever library it is for.

    Raises
    ------
    BackendUnavailable
        If there is no such folder or model, something is not installed, or the device is not there.
    """
    _check_device(device)
    if not folder.is_dir():
        raise BackendUnavailable(f"There is no folder {folder}.", DOWNLOAD)
    try:
        if (folder / "open_clip_config.json").is_file():
            return OpenClipModel(folder, device)
        return load_family(folder, device) or TransformersModel(folder, device)
    except ImportError as error:
        raise BackendUnavailable(f"{folder.name} cannot be loaded: {error}.", INSTALL) from error
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder.name} cannot be loaded: {str(error) or type(error).__name__}.", DOWNLOAD
        ) from error


def _check_device(device: str) -> None:
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise BackendUnavailable(
            f"There is no device called {device}.", "Choose the device cpu."
        ) from error
    counts = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}
    if wanted.type in counts and (wanted.index or 0) >= counts[wanted.type]():
        raise BackendUnavailable(
            f"There is no {device} on this computer.", "Choose the device cpu."
        )
