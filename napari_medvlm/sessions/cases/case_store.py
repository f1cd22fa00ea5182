"""Files of case lists: read, write and lock them, and add the cases of their source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import CaseListError
from napari_medvlm.io.archive.base import Archive, Progress, Study
from napari_medvlm.sessions.cases.case_list import Case, CaseList, Stopwatch, free_name
from napari_medvlm.sessions.cases.case_sources import (
    cases_in_folder,
    cases_in_table,
    cases_of_studies,
    reason_of,
)
from napari_medvlm.sessions.cases.own_results import keep, list_folder, restored
from napari_medvlm.sessions.closeable import Closeable

SUFFIX = ".cases.json"
KEEP_S = 10.0
"""How much time a crash may take from what was counted."""


class CaseBook(Closeable):
    """A list of cases with the file that it is kept in, written at each change as a whole.

    While it is open no other window may open it.

    Parameters
    ----------
    path
        The file. If it is not there, it begins with the first change.
    start
        The list if there is no file yet.

    Raises
    ------
    CaseListError
        If the file cannot be read or another window has it open.
    """

    def __init__(self, path: Path, start: CaseList | None = None) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"), thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise CaseListError(
                "The list of cases is open in another window.", "Close it there first."
            ) from error
        self._watch = Stopwatch()
        try:
            is_new = start is not None and not path.exists()
            self.list = start if start and is_new else restored(path, read_list(path))
        except CaseListError:
            self._release()
            raise

    def change(self, change: Callable[[CaseList], CaseList]) -> None:
        """Change the list, and keep that: it is changed only if it could be written.

        Raises
        ------
        CannotSave
            If the file cannot be written.
        """
        changed = change(self.list)
        if changed != self.list or not self.path.exists():
            write_text(self.path, changed.model_dump_json(indent=1) + "\n")
            keep(self.path, changed)
            self.list = changed

    def open_case(self, name: str) -> Case:
        """Go to a case, which is in work from now on if it was new; the time counts as its own."""
        self.keep_time()
        self.change(lambda known: known.opened(name))
        return self.list[name]

    def tick(self, *, running: bool, now_s: float) -> None:
        """Say whether a person works on the current case, again and again; its time is counted."""
        self._watch.run(running, now_s)
        if self._watch.seconds >= KEEP_S:
            self.keep_time()

    def keep_time(self) -> None:
        """Write what time was counted since the last time."""
        seconds, current = self._watch.take(), self.list.current
        if seconds and current:
            self.change(lambda known: known.spent(current, seconds))

    def close(self) -> None:
        """Keep the time, and let other windows have the list."""
        try:
            self.keep_time()
        finally:
            self._release()

    def _release(self) -> None:
        if self._lock.is_locked:
            self._lock.release()
            self.path.with_suffix(".lock").unlink(missing_ok=True)


def read_list(path: Path) -> CaseList:
    """The list of cases in a file.

    Raises
    ------
    CaseListError
        If it cannot be read.
    """
    try:
        return CaseList.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise CaseListError(
            f"{path.name} cannot be read as a list of cases: {reason_of(error)}.",
            f"Open the folder or table again, or a file that ends with {SUFFIX}.",
        ) from error


def book_of(source: Path, progress: Progress) -> CaseBook:
    """The list of a folder, of a table or of a file of a list; goes on where it was left.

    Cases that the source has and the list has not are put at its end.

    Raises
    ------
    CaseListError
        If there is no case, the table cannot be read, or another window has the list open.
    ArchiveError
        If the folder is not there.
    """
    if source.name.endswith(SUFFIX):
        return CaseBook(source)
    path, known = _known(source)
    return _book(path, known, _new_cases(source.resolve(), known, progress), str(source))


def list_of(source: Path, progress: Progress) -> CaseList:
    """The list of a source as `book_of` would open it; nothing is kept."""
    if source.name.endswith(SUFFIX):
        return read_list(source)
    _, known = _known(source)
    return known.joined(_new_cases(source.resolve(), known, progress))


def _known(source: Path) -> tuple[Path, CaseList]:
    """Where the list of a folder or table is kept, and what stands there."""
    source = source.resolve()
    path = _stored_at(str(source), source.name)
    return path, read_list(path) if path.exists() else CaseList(title=source.name)


def _new_cases(source: Path, known: CaseList, progress: Progress) -> tuple[Case, ...]:
    if not source.exists():
        raise CaseListError(f"There is no {source.name} in {source.parent}.", "Check the path.")
    if not source.is_dir():
        return cases_in_table(source)
    return cases_in_folder(source, progress, Path(known.folder) if known.folder else None)


def book_of_studies(archive: Archive, studies: Sequence[Study], progress: Progress) -> CaseBook:
    """The list of all series of images of studies that were found in an archive."""
    path = _stored_at("\n".join([archive.title, *sorted(s.uid for s in studies)]), archive.title)
    cases = cases_of_studies(archive, studies, progress)
    return _book(path, CaseList(title=archive.title), cases, archive.title)


def recent_lists() -> tuple[tuple[Path, CaseList], ...]:
    """The lists that were worked on, the latest first; those that cannot be read are left out."""
    cases = []
    for path in sorted(list_folder().glob(f"[!.]*{SUFFIX}"), key=os.path.getmtime, reverse=True):
        try:
            cases.append((path, read_list(path)))
        except CaseListError:
            continue
    return tuple(cases)


def _book(path: Path, start: CaseList, cases: Sequence[Case], source: str) -> CaseBook:
    book = CaseBook(path, start)
    if not cases and not book.list.cases:
        book.close()
        raise CaseListError(
            f"There is no image in {source}.",
            "Choose a folder with DICOM, NIfTI, NRRD or MetaImage files, or search again.",
        )
    try:
        book.change(lambda known: known.joined(cases))
    except BaseException:
        book.close()
        raise
    return book


def _stored_at(source: str, title: str) -> Path:
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    return list_folder() / f"{free_name(title, ())[:40]}-{digest}{SUFFIX}"
