"""Folders of settings, sessions, downloads and caches."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def home() -> Path:
    """The folder of journals and settings: ``NAPARI_MEDVLM_HOME``, else the user's data folder."""
    from platformdirs import user_data_path

    named = os.environ.get("NAPARI_MEDVLM_HOME")
    return Path(named) if named else user_data_path("napari-medvlm", appauthor=False)


def private_folder(folder: Path) -> None:
    """Create a folder with those above it; this user alone may read those within `home`.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    top = home()
    inside = [path for path in (folder, *folder.parents) if path == top or top in path.parents]
    for path in inside:
        make_private(path)


def make_private(path: Path) -> None:
    """Let this user alone read a file or folder; without effect on files of other users."""
    with contextlib.suppress(OSError):
        path.chmod(0o700 if path.is_dir() else 0o600)


def exists(path: str | Path) -> bool:
    """Whether there is a file or folder of a name from a file; False if none can have the name."""
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
