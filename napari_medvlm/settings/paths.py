"""Where the program keeps what outlives it."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of journals and settings: ``NAPARI_MEDVLM_HOME``, else the user's data folder."""
    from platformdirs import user_data_path

    named = os.environ.get("NAPARI_MEDVLM_HOME")
    return Path(named) if named else user_data_path("napari-medvlm", appauthor=False)
