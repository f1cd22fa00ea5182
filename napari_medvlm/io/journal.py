"""The journal: a session written to disk record by record while it goes on."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from napari_medvlm.data.atomic_write import temporary_path
from napari_medvlm.data.errors import CannotSave, SessionFileError
from napari_medvlm.io.journal_files import (
    Task,
    journal_folder,
    journals,
    lock_path,
    new_journal,
    new_path,
    next_use_ns,
    resumable,
)
from napari_medvlm.ledger.journal_lines import line_of, read_lines
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.reading import header_version, needed_version
from napari_medvlm.ledger.records import VERSION, Record
from napari_medvlm.ledger.serialization import json_of
from napari_medvlm.settings.paths import make_private, private_folder
from napari_medvlm.settings.privacy import for_log

__all__ = [
    "Journal",
    "Task",
    "journal_folder",
    "journals",
    "new_journal",
    "notices_of",
    "resumable",
]

logger = logging.getLogger(__name__)

RETRY_S = 10.0
"""Interval at which records that could not be written are tried again, in seconds."""
IN_USE = "The session is open in another window: this window continues a copy of it."
CHANGED = "The session was continued in another window: this window continues a copy of it."


def notices_of(ledger: Ledger, journal: Journal | None) -> tuple[str, ...]:
    """Sentences about an opened session: its damaged records, a copy that is continued."""
    notice = "" if journal is None else journal.notice
    return tuple(text for text in (ledger.damage, notice) if text)


class Journal:
    """Appends records to a file, and forces them onto the disk on a thread of its own.

    A record is in the file, as the operating system sees it, when `write` returns: a process that
    is killed then loses nothing. The thread calls fsync, which can take long. The file begins with
    the first record, so that only looking at an image leaves nothing behind. Records that cannot
    be written are tried again with the next one, every `RETRY_S` seconds, and on closing. While it
    is open no other window writes to the file.

    Parameters
    ----------
    path
        The file, see `new_journal`. An existing one is continued if it has no records that the
        ledger lacks and no other window has it open; otherwise a new file gets all records.
    ledger
        What the records belong to; what it holds already is written first if the file is new.
    on_failure
        Called on the journal's thread when writing begins to fail, and again if records could not
        be written on closing.

    Attributes
    ----------
    path
        The file that is written to.
    notice
        Why that is another file than the one passed; empty if it is that one.
    """

    def __init__(
        self, path: Path, ledger: Ledger, on_failure: Callable[[CannotSave], None]
    ) -> None:
        self.path = path
        self.notice = ""
        self._on_failure = on_failure
        self._failing = False
        self._failure: CannotSave | None = None
        self._number = 0
        self._version = self._needed_version = VERSION
        self._header = line_of(ledger.header(), 0)
        self._waiting = b""
        self._unsynced = b""
        self._sync_failed = False
        self._guard = threading.Lock()
        self._lock = FileLock(lock_path(path), thread_local=False)
        if not (os.path.exists(path) and self._continue(ledger)):
            self._begin(ledger)
        self._queue: queue.SimpleQueue[threading.Event | bool] = queue.SimpleQueue()
        self._thread = self._started()

    def write(self, record: Record) -> None:
        """Append a record to the file; does not wait until it is on the disk."""
        with self._guard:
            try:
                self._waiting += self._line(record)
            except Exception as error:  # noqa: BLE001  # whatever a backend put into a record
                logger.warning("A record cannot be written: %s", for_log(error))
                self._report("a record cannot be encoded")
            else:
                self._append()
            if not self._thread.is_alive():
                self._report("its thread ended")
                self._thread = self._started()
        self._queue.put(True)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all records so far are on the disk; whether they are."""
        written = threading.Event()
        self._queue.put(written)
        deadline = time.monotonic() + timeout_s
        while not written.wait(0.05):
            if time.monotonic() > deadline or not self._thread.is_alive():
                return False
        return not self._failing

    def close(self) -> None:
        """Write what is left, end the thread and let other windows have the file."""
        if not self._thread.is_alive():
            self._thread = self._started()
        self._queue.put(False)
        self._thread.join(timeout=10.0)
        if self._lock.is_locked:
            self._lock.release()
            with contextlib.suppress(OSError):
                lock_path(self.path).unlink(missing_ok=True)

    def _begin(self, ledger: Ledger) -> None:
        """Prepare a new file; it is written with the first record."""
        if os.path.exists(self.path):
            self.path = new_path(self.path.parent, _prefix(self.path))
            self._lock = FileLock(lock_path(self.path), thread_local=False)
        self._order_ns = next_use_ns(self.path.parent, _prefix(self.path))
        self._number = 1
        self._version = VERSION
        self._waiting = self._header + b"".join(self._line(record) for record in ledger.records)

    def _continue(self, ledger: Ledger) -> bool:
        """Lock the existing file and prepare it for more records; whether that is possible."""
        try:
            self._lock.acquire(timeout=0)
        except (OSError, Timeout) as error:
            self.notice = IN_USE if isinstance(error, Timeout) else ""
            return False
        try:
            stored = Ledger.load(self.path, ledger.image).records
            content = self.path.read_bytes()
            number = len(read_lines(content))
            if not _begins_with(ledger.records, stored):
                raise SessionFileError(CHANGED)
            _cut_torn_line(self.path)
        except (OSError, SessionFileError):
            self.notice = CHANGED
            self._lock.release()
            return False
        self._number = number
        self._version = self._needed_version = header_version(content)
        self._waiting = b"".join(self._line(record) for record in ledger.records[len(stored) :])
        self._order_ns = next_use_ns(self.path.parent, _prefix(self.path))
        with contextlib.suppress(OSError):  # it is used, if only to look at it: it is offered first
            os.utime(self.path, ns=(self._order_ns, self._order_ns))
        make_private(self.path)
        return True

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="medvlm-journal", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        """Force what was written onto the disk, until the queue has `False`."""
        while (item := self._next()) is not False:
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._sync()
        if self._failing and (self._waiting or self._unsynced):
            self._failing = False  # so that it is reported again
            self._sync()

    def _next(self) -> threading.Event | bool:
        """The next item of the queue; what could not be written is tried again meanwhile."""
        while True:
            try:
                return self._queue.get(timeout=RETRY_S if self._failing else None)
            except queue.Empty:
                self._sync()

    def _sync(self) -> None:
        """Append what could not be written, force the file onto the disk, report a failure."""
        with self._guard:
            if self._waiting or self._sync_failed:
                self._append()
            written = self._unsynced
        reason = _sync_file(self.path) if written else ""
        with self._guard:
            if reason:
                self._sync_failed = True
                self._report(reason)
            elif written:  # no two lines are equal: their numbers differ
                self._unsynced = self._unsynced.removeprefix(written)
                self._failing = self._failing and bool(self._waiting)
            failure, self._failure = self._failure, None
        if failure is not None:
            self._deliver(failure)

    def _line(self, record: Record) -> bytes:
        line = line_of(json_of(record), self._number)
        self._number += 1
        self._needed_version = max(self._needed_version, needed_version(record))
        return line

    def _append(self) -> None:
        """Append the waiting lines to the file; the guard is held."""
        try:
            if not os.path.exists(self.path):
                private_folder(self.path.parent)
            if not self._lock.is_locked:
                self._lock.acquire(timeout=0)
            if self._sync_failed:
                _cut_end(self.path, len(self._unsynced))
                self._waiting, self._unsynced = self._unsynced + self._waiting, b""
                self._sync_failed = False
            if self._needed_version > self._version:
                _replace_header(self.path, self._header)
                self._version = VERSION
                self._unsynced = b""
            _append_whole(self.path, self._waiting)
        except (OSError, Timeout) as error:
            logger.warning("The journal cannot be written: %s", type(error).__name__)
            self._report(getattr(error, "strerror", None) or "the file is in use")
            return
        self._unsynced += self._waiting
        self._waiting = b""
        if self._order_ns > time.time_ns():  # the clock was set back
            with contextlib.suppress(OSError):
                os.utime(self.path, ns=(self._order_ns, self._order_ns))

    def _report(self, reason: str) -> None:
        """Have the thread report a failure once, until writing succeeds again."""
        if self._failing:
            return
        self._failing = True
        self._failure = CannotSave(
            f"The session is not being saved: {reason}.",
            "Free space on the disk, or save the session elsewhere. "
            "The window still has all prompts.",
        )

    def _deliver(self, failure: CannotSave) -> None:
        try:
            self._on_failure(failure)
        except Exception as error:  # noqa: BLE001  # of a listener; the thread goes on
            logger.warning("A failure could not be reported: %s", for_log(error))


def _prefix(path: Path) -> str:
    """The digest of the image in the file name of a journal."""
    return path.name.split(".")[0]


def _begins_with(records: tuple[Record, ...], stored: tuple[Record, ...]) -> bool:
    """Whether the stored records are the first of the records; NaN equals NaN."""
    first = records[: len(stored)]
    return first == stored or [json_of(r) for r in first] == [json_of(r) for r in stored]


def _append_whole(path: Path, data: bytes) -> None:
    """Append all of the data or, if that fails, nothing; a new file is private."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600), "ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(end)
            raise


def _sync_file(path: Path) -> str:
    """Force a file onto the disk; why that failed, or an empty text."""
    try:
        with open(path, "ab", buffering=0) as file:
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _cut_end(path: Path, size: int) -> None:
    """Cut bytes off the end of a file."""
    os.truncate(path, max(path.stat().st_size - size, 0))


def _replace_header(path: Path, header: bytes) -> None:
    """Give a journal the header of this version, before it gets records that older ones lack.

    An older program then refuses the journal; it would count those records as damaged.
    """
    lines = path.read_bytes().partition(b"\n")[2]
    temporary = temporary_path(path)
    try:
        _append_whole(temporary, header + lines)
        if reason := _sync_file(temporary):
            raise OSError(errno.EIO, reason)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _cut_torn_line(path: Path) -> None:
    """Drop a last line that was cut off by a crash, so that the next record begins a line."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
