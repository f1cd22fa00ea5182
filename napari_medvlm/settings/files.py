"""Settings as JSON files that this user alone may read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_medvlm.data.atomic_write import write_atomically
from napari_medvlm.data.errors import DAMAGED, CannotSave, SettingsError
from napari_medvlm.settings.paths import private_folder


def read_setting(path: Path) -> Any:
    """The content of a JSON file; `None` if there is none, or it cannot be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except DAMAGED:
        return None


def write_setting(path: Path, value: Any) -> None:
    """Write a JSON file in the settings folder; an existing file stays if this fails.

    Raises
    ------
    SettingsError
        If the folder cannot be written to or the disk is full.
    """
    write_private(path, json.dumps(value, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a text file in the settings folder, as `write_setting`."""

    def write(temporary: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    try:
        private_folder(path.parent)
        write_atomically(path, write)
    except (OSError, CannotSave) as error:
        reason = error.message if isinstance(error, CannotSave) else error.strerror or str(error)
        raise SettingsError(
            f"The settings cannot be written to {path.parent}: {reason.removesuffix('.')}.",
            "Check free space and permissions, or set NAPARI_MEDVLM_HOME to another folder.",
        ) from error
