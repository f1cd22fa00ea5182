"""Models that were added by their path, as kept in ``models.json`` of the home folder.

The models themselves stay where they are and are never changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.settings.paths import home

logger = logging.getLogger(__name__)


class Added(BaseModel):
    """What is kept of a model.

    Parameters
    ----------
    name
        What it is known by.
    backend
        Who runs it.
    path
        Its file or folder, absolute.
    sha256
        The hash of each file when it was added, by its path in the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    backend: str
    path: Path
    sha256: Mapping[str, str]


def added() -> dict[str, Added]:
    """All that can be read, by name; what cannot is left where it is and logged."""
    return _read()[0]


@contextmanager
def changing() -> Iterator[dict[str, Added]]:
    """The models by name, to be changed within; they are written at the end, no other meanwhile.

    A file of which something cannot be read is kept beside, as ``models.json.damaged``.

    Raises
    ------
    SettingsError
        If the file cannot be written.
    """
    from filelock import FileLock

    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            entries, whole = _read()
            yield entries
            if not whole:
                path.replace(_free(path.with_suffix(".json.damaged")))
            _write(path, entries)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error}.",
            "See that there is space and that you may write there, or set NAPARI_MEDVLM_HOME.",
        ) from error


def _write(path: Path, entries: Mapping[str, Added]) -> None:
    rows = [entry.model_dump(mode="json") for entry in entries.values()]
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(rows, indent=1), "utf-8")
    temporary.replace(path)


def _read() -> tuple[dict[str, Added], bool]:
    """What can be read, and whether that is all."""
    path = _path()
    try:
        rows: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, True
    except (OSError, ValueError):
        logger.warning("%s cannot be read", path.name, exc_info=True)
        return {}, False
    entries, whole = {}, isinstance(rows, list)
    for row in rows if isinstance(rows, list) else []:
        try:
            entry = Added.model_validate(row)
            entries[entry.name] = entry
        except ValidationError:
            logger.warning("A row of %s cannot be read", path.name, exc_info=True)
            whole = False
    return entries, whole


def _free(path: Path) -> Path:
    """A path that is not taken yet."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _path() -> Path:
    return home() / "models.json"
