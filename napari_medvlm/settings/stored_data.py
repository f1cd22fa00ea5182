"""What this package stores in the data folder, how large it is, and deleting it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_medvlm.data.errors import CannotSave, InvalidPrompt
from napari_medvlm.data.text import did_you_mean
from napari_medvlm.settings.paths import home

PARTS = {
    "sessions": ("sessions", "sessions of the docks, to be resumed"),
    "phrases": ("phrases.txt", "phrases that were searched"),
    "cases": ("cases", "case lists and their results"),
    "embeddings": ("embeddings", "image embeddings; they are computed again"),
    "pacs": ("pacs", "fetched DICOM series, with the names of patients"),
    "calibration": ("calibration", "calibration curves"),
    "environments": ("environments", "Python environments of backends"),
    "log": ("napari-medvlm.log*", "log messages"),
    "settings": (
        "*.json|*.yaml|*.lock|settings",
        "servers, added and trusted models, limits, environments.yaml",
    ),
}
"""For each part, the patterns of its files in the data folder, and what they are."""


@dataclass(frozen=True)
class StoredPart:
    """A part of the data folder.

    Attributes
    ----------
    name
        As in `PARTS`.
    what
        A description.
    paths
        Its files and folders.
    bytes
        Size on disk.
    """

    name: str
    what: str
    paths: tuple[Path, ...]
    bytes: int


def stored_parts() -> tuple[StoredPart, ...]:
    """All parts of the data folder, also those without files."""
    return tuple(_part(name) for name in PARTS)


def clear(names: Iterable[str]) -> tuple[StoredPart, ...]:
    """Delete parts of the data folder; files of other programs in it stay.

    Returns
    -------
    What was deleted.

    Raises
    ------
    InvalidPrompt
        If there is no part of such a name.
    CannotSave
        If a file cannot be deleted.
    """
    names = tuple(names)
    for name in names:
        if name not in PARTS:
            raise InvalidPrompt(
                f"The data folder has no part {name!r}.",
                f"{did_you_mean(name, PARTS)}Choose of: {', '.join(PARTS)}.",
            )
    parts = tuple(_part(name) for name in names)
    for path in (path for part in parts for path in part.paths):
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            raise CannotSave(
                f"{path} cannot be deleted: {error.strerror or error}.",
                "Close napari and other programs that use it.",
            ) from error
    return parts


def _part(name: str) -> StoredPart:
    pattern, what = PARTS[name]
    paths = tuple(sorted({p for glob in pattern.split("|") for p in home().glob(glob)}))
    files = [f for p in paths for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    return StoredPart(name, what, paths, sum(f.lstat().st_size for f in files))
