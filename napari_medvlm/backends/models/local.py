"""Models added by path, stored in ``models.json`` of the home folder.

The models themselves stay where they are and are never changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_medvlm.backends.models.files import Stamp, stamp
from napari_medvlm.data.errors import DAMAGED, SettingsError
from napari_medvlm.settings.files import write_setting
from napari_medvlm.settings.paths import home, private_folder

logger = logging.getLogger(__name__)


class Added(BaseModel):
    """A model that was added by its path.

    Parameters
    ----------
    name
        Its name.
    backend
        The backend that loads it.
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
    """All models that can be read, by name; unreadable rows stay in the file and are logged.

    The file is read again only if it has changed.
    """
    return dict(_unchanged(str(_path()), stamp(_path())))


@lru_cache(maxsize=4)
def _unchanged(path: str, stamp: Stamp) -> Mapping[str, Added]:
    """The models of a file in one state of it."""
    return _read()[0]


@contextmanager
def changing() -> Iterator[dict[str, Added]]:
    """The models by name, to be changed in the context; they are written at its end.

    Other processes wait meanwhile. If a part of the file cannot be read, the file is first renamed
    to ``models.json.damaged``.

    Raises
    ------
    SettingsError
        If the file cannot be written.
    """
    from filelock import FileLock

    path = _path()
    try:
        private_folder(path.parent)
        with FileLock(path.with_suffix(".lock")):
            entries, complete = _read()
            yield entries
            if not complete:
                path.replace(_free(path.with_suffix(".json.damaged")))
            _write(path, entries)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error}.",
            "Check free space and permissions, or set NAPARI_MEDVLM_HOME to another folder.",
        ) from error


def _write(path: Path, entries: Mapping[str, Added]) -> None:
    rows = [entry.model_dump(mode="json") for entry in entries.values()]
    write_setting(path, rows)


def _read() -> tuple[dict[str, Added], bool]:
    """The rows that can be read, and whether those are all rows."""
    path = _path()
    try:
        rows: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, True
    except DAMAGED:
        logger.warning("%s cannot be read", path.name, exc_info=True)
        return {}, False
    entries, complete = {}, isinstance(rows, list)
    for row in rows if isinstance(rows, list) else []:
        try:
            entry = Added.model_validate(row)
            entries[entry.name] = entry
        except ValidationError:
            logger.warning("A row of %s cannot be read", path.name, exc_info=True)
            complete = False
    return entries, complete


def _free(path: Path) -> Path:
    """A path that does not exist yet."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _path() -> Path:
    return home() / "models.json"
