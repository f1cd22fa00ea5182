"""The journal: a session written to disk record by record while it goes on."""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.ledger.ledger import JOURNAL_SUFFIX, Ledger
from napari_medvlm.ledger.records import ImageReference, Record
from napari_medvlm.settings.paths import home

logger = logging.getLogger(__name__)

Task = Literal["segment", "ground", "label", "ask"]


class Journal:
    """Appends records to a file and forces each onto the disk, on a thread of its own.

    The file begins with the first record, so that only looking at an image leaves nothing behind.
    A record that cannot be written is kept and tried again with the next one. While it is open no
    other window is offered the file.

    Parameters
    ----------
    path
        The file, see `new_journal`. One that is there already is continued.
    ledger
        What the records belong to; what it holds already is written first if the file is new.
    on_failure
        Called on the journal's thread when writing begins to fail.
    """

    def __init__(
        self, path: Path, ledger: Ledger, on_failure: Callable[[CannotSave], None]
    ) -> None:
        self.path = path
        self._on_failure = on_failure
        self._failing = False
        self._lock = FileLock(_lock_path(path), thread_local=False)
        if path.exists():
            self._lock.acquire()
            _cut_torn_line(path)
            path.touch()  # used, if only to go on looking: it is offered first again
        self._waiting = "" if path.exists() else _lines(ledger)
        self._queue: queue.SimpleQueue[Record | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="medvlm-journal", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> None:
        """Have a record written; returns at once."""
        self._queue.put(record)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all records so far are on the disk; whether they are."""
        written = threading.Event()
        self._queue.put(written)
        return written.wait(timeout_s) and not self._failing

    def close(self) -> None:
        """Write what is left, end the thread and let other windows have the file."""
        self._queue.put(None)
        self._thread.join(timeout=10.0)
        if self._lock.is_locked:
            self._lock.release()
            _lock_path(self.path).unlink(missing_ok=True)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            self._waiting += item.model_dump_json() + "\n"
            self._append()

    def _append(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self._lock.is_locked:
                self._lock.acquire(timeout=0)
            _append_whole(self.path, self._waiting.encode())
        except (OSError, Timeout) as error:
            logger.warning("The journal cannot be written: %s", error)
            if not self._failing:
                self._failing = True
                self._on_failure(_not_saved(error))
        else:
            self._waiting = ""
            self._failing = False


def _not_saved(error: OSError | Timeout) -> CannotSave:
    reason = getattr(error, "strerror", None) or "the file is in use"
    return CannotSave(
        f"The session is not being saved: {reason}.",
        "Free space on the disk, or save the session elsewhere. The window still has all prompts.",
    )


def _append_whole(path: Path, data: bytes) -> None:
    """Append all of the data or, if that fails, nothing."""
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def _cut_torn_line(path: Path) -> None:
    """Drop a last line that was cut off by a crash, so that the next record begins a line."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _lines(ledger: Ledger) -> str:
    records = [record.model_dump_json() for record in ledger.records]
    return "\n".join([ledger.header(), *records]) + "\n"


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def journal_folder() -> Path:
    """Where journals are kept."""
    return home() / "sessions"


def new_journal(image: ImageReference, task: Task = "segment") -> Path:
    """A file name for a new journal of an image; found again by the image's digest."""
    started = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return _folder(task) / f"{image.digest}.{started}{JOURNAL_SUFFIX}"


def resumable(image: ImageReference, task: Task = "segment") -> Iterator[Path]:
    """The journals of an image that no other window has open; the one that was used last first."""
    paths = _folder(task).glob(f"{image.digest}.*{JOURNAL_SUFFIX}")
    for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path), reverse=True):
        if not _is_open(path):
            yield path


def _folder(task: Task) -> Path:
    return journal_folder() if task == "segment" else journal_folder() / task


def _is_open(path: Path) -> bool:
    lock = FileLock(_lock_path(path), thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
