"""The journal: a session written to disk record by record while it goes on."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from napari_medvlm.data.errors import CannotSave, SessionFileError
from napari_medvlm.io.append import append_whole, cut_end, cut_torn_line, replace_first_line, sync
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
WAIT_S = 0.1
"""Longest wait of `Journal.write` for a record to be in the file, in seconds."""
LATE_S = 3.0
"""A record that is not in the file after so many seconds is reported."""
CLOSE_S = 10.0
"""Longest wait for each thread on closing, in seconds; `WAIT_S` if the disk does not respond."""
IN_USE = "The session is open in another window: this window continues a copy of it."
CHANGED = "The session was continued in another window: this window continues a copy of it."


def notices_of(ledger: Ledger, journal: Journal | None) -> tuple[str, ...]:
    """Sentences about an opened session: its damaged records, a copy that is continued."""
    notice = "" if journal is None else journal.notice
    return tuple(text for text in (ledger.damage, notice) if text)


class Journal:
    """Appends records to a file and forces them onto the disk, on two threads of its own.

    A record is in the file, as the operating system sees it, when `write` returns: a process that
    is killed then loses nothing. Only where the disk does not respond, as one of a network may,
    `write` returns after `WAIT_S`, and the window goes on; after `LATE_S` that is reported. The
    second thread calls fsync, which can take long. The file begins with the first record, so that
    only looking at an image leaves nothing behind. Records that cannot be written are tried again
    with the next one, every `RETRY_S` seconds, and on closing. While it is open no other window
    writes to the file.

    Parameters
    ----------
    path
        The file, see `new_journal`. An existing one is continued if it has no records that the
        ledger lacks and no other window has it open; otherwise a new file gets all records.
    ledger
        What the records belong to; what it holds already is written first if the file is new.
    on_failure
        Called on a thread of the journal when writing begins to fail, and again if records could
        not be written on closing.

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
        self._state = threading.Condition()
        self._requested = self._appended = self._synced = 0
        self._appending_since_s: float | None = None
        self._watch: threading.Timer | None = None
        self._closing = False
        self._is_used = False
        self._lock = FileLock(lock_path(path), thread_local=False)
        if not (os.path.exists(path) and self._continue(ledger)):
            self._begin(ledger)
        self._appender = self._started(self._run_appending)
        self._syncer = self._started(self._run_syncing)

    def write(self, record: Record) -> None:
        """Append a record to the file; does not wait until it is on the disk."""
        with self._state:
            self._is_used = True
            try:
                self._waiting += self._line(record)
            except Exception as error:  # noqa: BLE001  # whatever a backend put into a record
                logger.warning("A record cannot be written: %s", for_log(error))
                self._report("a record cannot be encoded")
            if not self._is_alive():
                self._report("its thread ended")
            self._revive()
            self._request()
            is_late = self._is_hung() or not self._wait_for_append(WAIT_S)
            if is_late and self._watch is None:
                self._watch = threading.Timer(LATE_S, self._report_late, (self._requested,))
                self._watch.daemon = True
                self._watch.start()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all records so far are on the disk; whether they are."""
        with self._state:
            wanted = self._request()
            deadline = time.monotonic() + timeout_s
            while self._synced < wanted:
                if time.monotonic() > deadline or not self._is_alive():
                    return False
                self._state.wait(0.05)
            return not self._failing

    def close(self) -> None:
        """Write what is left, end the threads and let other windows have the file."""
        with self._state:
            self._closing = True
            self._revive()
            self._request()
            timeout_s = WAIT_S if self._is_hung() else CLOSE_S
        self._appender.join(timeout_s)
        self._syncer.join(timeout_s)
        if self._watch is not None:
            self._watch.cancel()
        if self._lock.is_locked and not self._appender.is_alive():
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
            cut_torn_line(self.path)
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

    def _started(self, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=run, name="medvlm-journal", daemon=True)
        thread.start()
        return thread

    def _is_alive(self) -> bool:
        return self._appender.is_alive() and self._syncer.is_alive()

    def _revive(self) -> None:
        """Replace threads that ended; the state is held."""
        if not self._appender.is_alive():
            self._appending_since_s = None
            self._appender = self._started(self._run_appending)
        if not self._syncer.is_alive():
            self._syncer = self._started(self._run_syncing)

    def _request(self) -> int:
        """Have what waits appended and forced onto the disk; the number of the request."""
        self._requested += 1
        self._state.notify_all()
        return self._requested

    def _wait_for_append(self, timeout_s: float) -> bool:
        wanted = self._requested
        return self._state.wait_for(lambda: self._appended >= wanted, timeout_s)

    def _is_hung(self) -> bool:
        """Whether an append has taken longer than a caller waits for it."""
        since_s = self._appending_since_s
        return since_s is not None and time.monotonic() - since_s > WAIT_S

    def _report_late(self, wanted: int) -> None:
        """Report that the disk does not respond, if it still does not."""
        with self._state:
            self._watch = None
            if self._appended < wanted:
                self._report("the disk does not respond")
            failure = self._taken_failure()
        self._deliver(failure)

    def _run_appending(self) -> None:
        """Append what was requested; what could not be written is tried again meanwhile."""
        is_last = False
        while not is_last:
            with self._state:
                while self._appended >= self._requested:
                    if not self._state.wait(RETRY_S) and self._failing:
                        self._requested += 1
                wanted, is_last = self._requested, self._closing
                if is_last and (self._waiting or self._unsynced):
                    self._failing = False  # so that it is reported again
                self._appending_since_s = time.monotonic()
            self._append()
            with self._state:
                self._appending_since_s = None
                self._appended = wanted
                self._state.notify_all()
                failure = self._taken_failure()
            self._deliver(failure)

    def _run_syncing(self) -> None:
        """Force what was appended onto the disk."""
        is_last = False
        while not is_last:
            with self._state:
                self._state.wait_for(lambda: self._synced < self._appended)
                wanted = self._appended
            self._sync()
            with self._state:
                self._synced = wanted
                is_last = self._closing and wanted == self._requested
                self._state.notify_all()
                failure = self._taken_failure()
            self._deliver(failure)

    def _append(self) -> None:
        """Append the waiting lines to the file; after a failed fsync also those before them."""
        with self._state:
            if not self._is_used or not (self._waiting or self._sync_failed):
                return
        try:
            self._claim()
            self._cut_unsynced()
            with self._state:
                waiting = self._waiting
            self._append_lines(waiting)
        except (OSError, Timeout) as error:
            logger.warning("The journal cannot be written: %s", type(error).__name__)
            with self._state:
                self._report(getattr(error, "strerror", None) or "the file is in use")
            return
        with self._state:
            self._waiting = self._waiting.removeprefix(waiting)
            self._unsynced += waiting

    def _claim(self) -> None:
        """Keep other windows from the file."""
        if not os.path.exists(self.path):
            private_folder(self.path.parent)
        if not self._lock.is_locked:
            self._lock.acquire(timeout=0)

    def _cut_unsynced(self) -> None:
        """After a failed fsync cut off what may not be on the disk, to append it again."""
        with self._state:
            size = len(self._unsynced) if self._sync_failed else 0
        if not size:
            return
        cut_end(self.path, size)
        with self._state:
            self._waiting, self._unsynced = self._unsynced + self._waiting, b""
            self._sync_failed = False

    def _append_lines(self, lines: bytes) -> None:
        if self._needed_version > self._version:
            # An older program then refuses the journal: it would count records that it lacks as
            # damaged.
            replace_first_line(self.path, self._header)
            self._version = VERSION
        append_whole(self.path, lines)
        if self._order_ns > time.time_ns():  # the clock was set back
            with contextlib.suppress(OSError):
                os.utime(self.path, ns=(self._order_ns, self._order_ns))

    def _sync(self) -> None:
        """Force what was appended onto the disk; a failure is reported."""
        with self._state:
            written = b"" if self._sync_failed else self._unsynced
        if not written:
            return
        reason = sync(self.path)
        with self._state:
            if reason:
                self._sync_failed = True
                self._report(reason)
            else:  # no two lines are equal: their numbers differ
                self._unsynced = self._unsynced.removeprefix(written)
                self._failing = self._failing and bool(self._waiting)

    def _line(self, record: Record) -> bytes:
        line = line_of(json_of(record), self._number)
        self._number += 1
        self._needed_version = max(self._needed_version, needed_version(record))
        return line

    def _report(self, reason: str) -> None:
        """Have a thread report a failure once, until writing succeeds again."""
        if self._failing:
            return
        self._failing = True
        self._failure = CannotSave(
            f"The session is not being saved: {reason}.",
            "Free space on the disk, or save the session elsewhere. "
            "The window still has all prompts.",
        )

    def _taken_failure(self) -> CannotSave | None:
        """The failure to be reported now, if there is one; the state is held."""
        failure, self._failure = self._failure, None
        return failure

    def _deliver(self, failure: CannotSave | None) -> None:
        if failure is None:
            return
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
