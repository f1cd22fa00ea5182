"""Which models this user has chosen; one that only a file names is not used without asking.

A session file names the backend and the model of each mask. A model may be a server, which would
get the image, or a folder, which may hold anything.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from napari_medvlm.data.errors import BackendUnavailable, SettingsError
from napari_medvlm.settings.allowed_hosts import origin
from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home

_chosen: set[tuple[str, str]] = set()
"""What was chosen in this process, also where it cannot be written."""


def remember(backend: str, model: str | None) -> None:
    """Remember that the user has chosen a model of a backend; `None` is the backend's default."""
    if not model or _entry(backend, model) in _chosen:
        return
    _chosen.add(_entry(backend, model))
    with contextlib.suppress(SettingsError):
        write_setting(_file(), sorted(_written() | _chosen))


def is_chosen(backend: str, model: str | None) -> bool:
    """Whether the user has chosen a model of a backend before; the default always counts."""
    if not model:
        return True
    entry = _entry(backend, model)
    return entry in _chosen or entry in _written()


def require_chosen(backend: str, model: str | None) -> None:
    """Check that the user has chosen a model that a file names.

    Raises
    ------
    BackendUnavailable
        If not.
    """
    if not is_chosen(backend, model):
        raise BackendUnavailable(
            f"The file names the model {model} of {backend}, which you have not chosen before, so "
            "it is not used.",
            "Choose it in the dock, or on the command line with "
            f"--backend {backend} --model and its name, or use another model.",
        )


def _entry(backend: str, model: str) -> tuple[str, str]:
    """A backend with the origin of a server, the absolute path of a file or folder, or a name."""
    if "://" in model:
        try:
            return backend, origin(model)
        except BackendUnavailable:
            return backend, model
    try:
        path = Path(model).expanduser()
        return backend, str(path.resolve()) if path.exists() else model
    except (OSError, ValueError, RuntimeError):
        return backend, model


def _written() -> set[tuple[str, str]]:
    entries = read_setting(_file())
    pairs = entries if isinstance(entries, list) else []
    return {(p[0], p[1]) for p in pairs if isinstance(p, list) and list(map(type, p)) == [str] * 2}


def _file() -> Path:
    return home() / "chosen_models.json"
