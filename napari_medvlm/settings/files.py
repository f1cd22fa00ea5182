"""Settings as JSON files that this user alone may read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import DAMAGED, SettingsError
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        private_folder(path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(
            f"The settings cannot be written to {path.parent}: {error.strerror or error}.",
            "Check free space and permissions, or set NAPARI_MEDVLM_HOME to another folder.",
        ) from error
