"""The folder of journals, their names and their order of use."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from napari_medvlm.data.errors import CannotSave, SessionFileError
from napari_medvlm.ledger.reading import JOURNAL_SUFFIX
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.settings.files import write_private
from napari_medvlm.settings.paths import home, private_folder

SESSIONS = "NAPARI_MEDVLM_SESSIONS"
"""Environment variable: another folder of journals."""
Task = Literal["segment", "ground", "label", "ask", "register"]
DELETED = ".deleted"
"""The folder of deleted journals, in the folder of journals; it has a folder for each day."""
DELETED_DAYS = 30
"""How long a deleted journal can be restored, in days."""
TITLE_LETTERS = 120
"""Longest title of a session."""

_STAMP = "%Y%m%d-%H%M%S-%f"
_DAY = "%Y%m%d"
_STAMP_IN_NAME = re.compile(r"\.(\d{8}-\d{6}-\d{6})\.jsonl$")


def journal_folder(task: Task = "segment") -> Path:
    """The folder of the journals of a task."""
    named = os.environ.get(SESSIONS)
    folder = Path(named) if named else home() / "sessions"
    return folder if task == "segment" else folder / task


def new_journal(image: ImageReference, task: Task = "segment") -> Path:
    """A file name for a new journal of an image; later than all others of the image."""
    return new_path(journal_folder(task), image.digest)


def new_path(folder: Path, prefix: str) -> Path:
    """A file name ``prefix.time.jsonl`` that is later than all others with the prefix.

    The time is the clock's, unless the clock was set back.
    """
    started = datetime.fromtimestamp(next_use_ns(folder, prefix) // 1000 / 1e6)
    while (path := folder / f"{prefix}.{started.strftime(_STAMP)}{JOURNAL_SUFFIX}") in _paths(
        folder, prefix
    ):
        started += timedelta(microseconds=1)
    return path


def next_use_ns(folder: Path, prefix: str) -> int:
    """The time now or, if the clock was set back, one after the last use of a journal; in ns."""
    used = [used_ns(path) + 1000 for path in _paths(folder, prefix)]
    return max([time.time_ns(), *used])


def used_ns(path: Path) -> int:
    """When a journal was last used: the time in its name or of its last change; in ns.

    The later of the two counts, as the clock may have been set back.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    match = _STAMP_IN_NAME.search(path.name)
    if match is None:
        return changed
    try:
        started = datetime.strptime(match[1], _STAMP).timestamp()
    except (ValueError, OverflowError, OSError):
        return changed
    return max(changed, int(started * 1e6) * 1000)


def journals(image: ImageReference, task: Task = "segment") -> list[Path]:
    """All journals of an image; the one that was used last first."""
    paths = _paths(journal_folder(task), image.digest)
    return sorted(paths, key=lambda path: (used_ns(path), path), reverse=True)


def resumable(image: ImageReference, task: Task = "segment") -> Iterator[Path]:
    """The journals of an image that no other window has open; the one that was used last first."""
    return (path for path in journals(image, task) if not is_open(path))


def is_open(path: Path) -> bool:
    """Whether a window has a journal open."""
    lock = FileLock(lock_path(path), thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # the folder cannot be written to
        return False


def lock_path(path: Path) -> Path:
    """The lock file of a journal."""
    return path.with_suffix(".lock")


def title_of(path: Path) -> str:
    """The title that the user gave a journal; empty if there is none."""
    try:
        return _title_path(path).read_text("utf-8", errors="replace")[:TITLE_LETTERS].strip()
    except OSError:
        return ""


def rename(path: Path, title: str) -> None:
    """Give a journal another title, in one line; an empty title removes it.

    Raises
    ------
    SettingsError, CannotSave
        If the folder cannot be written to.
    """
    text = " ".join(title.split())[:TITLE_LETTERS].encode("utf-8", "replace").decode()
    if text:
        write_private(_title_path(path), text)
        return
    try:
        _title_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise _unchanged("renamed", error) from error


def delete(path: Path) -> Path:
    """Move a journal and its title to the deleted ones; its path there.

    Raises
    ------
    SessionFileError
        If a window has it open.
    CannotSave
        If it cannot be moved.
    """
    folder = path.parent / DELETED / datetime.now().strftime(_DAY)
    lock = FileLock(lock_path(path), thread_local=False)
    try:
        private_folder(folder)
        with lock.acquire(timeout=0):
            _move(path, folder)
    except Timeout as error:
        raise SessionFileError(
            "The session is open in a window.", "Start a new session there, or close the window."
        ) from error
    except OSError as error:
        raise _unchanged("deleted", error) from error
    with contextlib.suppress(OSError):
        lock_path(path).unlink(missing_ok=True)
    return folder / path.name


def restore(path: Path) -> Path:
    """Move a deleted journal and its title back; its path there.

    Raises
    ------
    CannotSave
        If it cannot be moved.
    """
    folder = path.parent.parent.parent
    try:
        _move(path, folder)
    except OSError as error:
        raise _unchanged("restored", error) from error
    return folder / path.name


def discard_deleted(task: Task = "segment") -> None:
    """Remove the journals that were deleted more than `DELETED_DAYS` days ago."""
    limit = datetime.now() - timedelta(days=DELETED_DAYS)
    try:
        days = list((journal_folder(task) / DELETED).iterdir())
    except OSError:
        return
    for folder in days:
        with contextlib.suppress(ValueError, OSError):
            if datetime.strptime(folder.name, _DAY) < limit and not folder.is_symlink():
                shutil.rmtree(folder)


def _title_path(path: Path) -> Path:
    return path.with_suffix(".title")


def _move(path: Path, folder: Path) -> None:
    """Move a journal and its title to another folder on the same disk."""
    path.rename(folder / path.name)
    with contextlib.suppress(FileNotFoundError):
        _title_path(path).rename(folder / _title_path(path).name)


def _unchanged(verb: str, error: OSError) -> CannotSave:
    return CannotSave(
        f"The session cannot be {verb}: {error.strerror or type(error).__name__}.",
        "Check that the folder of sessions can be written to.",
    )


def _paths(folder: Path, prefix: str) -> list[Path]:
    try:
        return list(folder.glob(f"{prefix}.*{JOURNAL_SUFFIX}"))
    except OSError:
        return []
