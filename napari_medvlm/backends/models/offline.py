"""The persistent setting whether the program may access the Hugging Face hub."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from napari_medvlm.data.errors import CannotDownload, SettingsError
from napari_medvlm.settings.paths import home, private_folder

VARIABLE = "HF_HUB_OFFLINE"
"""What the hub's library heeds, in this process and in workers."""
TRUE = {"1", "on", "yes", "true"}


def is_offline() -> bool:
    """Return whether the program is offline by its setting or by the variable."""
    return _mark().exists() or os.environ.get(VARIABLE, "").lower() in TRUE


def set_offline(offline: bool) -> None:
    """Remember a choice; it holds at once here, and in workers that start from now on.

    Raises
    ------
    SettingsError
        If it cannot be remembered; it holds for this process all the same.
    """
    if offline:
        os.environ[VARIABLE] = "1"
    else:
        os.environ.pop(VARIABLE, None)
    if "huggingface_hub" in sys.modules:  # which has looked at the variable when it was imported
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = offline
    try:
        _remember(offline)
    except OSError as error:
        raise SettingsError(
            f"{_mark()} cannot be written: {error}.",
            "Check free space and permissions, or set NAPARI_MEDVLM_HOME to another folder.",
        ) from error


def variables() -> dict[str, str]:
    """Environment variables for worker processes."""
    return {VARIABLE: "1"} if is_offline() else {}


def refuse(model: str) -> None:
    """Refuse to ask about a model when nothing may be fetched.

    Raises
    ------
    CannotDownload
        If so.
    """
    if is_offline():
        raise CannotDownload(
            f"{model} cannot be downloaded: the program is offline.",
            f"Uncheck Offline in the Models dock, and check that {VARIABLE} is not set.",
        )


def _remember(offline: bool) -> None:
    if offline:
        private_folder(_mark().parent)
        _mark().touch()
    else:
        _mark().unlink(missing_ok=True)


def _mark() -> Path:
    return home() / "settings" / "offline"
