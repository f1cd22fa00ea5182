"""Where cases come from, folders, tables and archives, and the file that keeps a list of them."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import CaseListError
from napari_medvlm.io.archive.base import Archive, Progress, Query, Study, StudySeries
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.folder_archive import DicomTree
from napari_medvlm.io.archive.servers import require_remembered
from napari_medvlm.sessions.cases.case_list import Case, CaseList, Stopwatch, free_name
from napari_medvlm.sessions.cases.own_results import keep, list_folder, restored
from napari_medvlm.sessions.closeable import Closeable

SUFFIX = ".cases.json"
IMAGES = (".nii", ".nii.gz", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd")
KEEP_S = 10.0
"""How much time a crash may take from what was counted."""
NO_IMAGES = ("SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "OT")
"""Modalities of series that go with images and are none."""


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
            f"{path.name} cannot be read as a list of cases: {_reason(error)}.",
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
    cases = _series_cases(archive, studies, progress)
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


def path_of(case: Case, progress: Progress) -> Path:
    """The file or folder to read a case from, fetched first if a PACS has it; takes a while.

    Raises
    ------
    CaseListError
        If the file or folder is not there.
    ArchiveError
        If the PACS does not give it, or is not one of the user's servers.
    """
    if case.server:
        require_remembered(case.server)
        series = StudySeries(case.series, case.study, None, "", "")
        return DicomWeb(case.server).fetch(series, progress)
    if case.is_missing:
        raise CaseListError(
            f"{case.name} is not there any more: {case.path}.",
            "Put it back, connect its drive, or reject the case.",
        )
    return Path(case.path)


def cases_in_folder(
    root: Path, progress: Progress, results: Path | None = None
) -> tuple[Case, ...]:
    """Each series of DICOM images and each NIfTI, NRRD or MetaImage file in a folder or below it.

    Parameters
    ----------
    results
        A folder whose files are no cases.
    """
    tree = DicomTree(root)
    cases = _series_cases(tree, tree.studies(Query(), progress), progress)
    for path in sorted(root.rglob("*")):
        if path.name.lower().endswith(IMAGES) and path.is_file():
            name = str(path.relative_to(root)).removesuffix(_ending(path.name))
            cases.append(Case(name=name, path=str(path)))
    inside = [c for c in cases if results is None or not Path(c.path).is_relative_to(results)]
    return tuple(sorted(inside, key=lambda case: case.name.casefold()))


def cases_in_table(path: Path) -> tuple[Case, ...]:
    """The rows of a table: ``path``, and if it has them ``name`` and ``series``.

    Paths are those from the table's own folder. Columns stand between commas, semicolons or tabs.

    Raises
    ------
    CaseListError
        If it cannot be read, has no such column, or a row has no path.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaseListError(
            f"{path.name} cannot be read: {_reason(error)}.", "Save the table as CSV in UTF-8."
        ) from error
    head = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=max(",;\t", key=head.count))
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    try:
        rows = list(reader)
    except csv.Error as error:
        raise CaseListError(
            f"{path.name} cannot be read: {error}.", "Save the table as CSV in UTF-8."
        ) from error
    if "path" not in columns:
        raise CaseListError(
            f"{path.name} has no column 'path'.",
            "Its first line names the columns: path, and if wanted name and series.",
        )
    return tuple(_row_case(path, columns, row, number) for number, row in enumerate(rows, 2))


def _row_case(table: Path, columns: dict[str, str], row: dict[str, str | None], line: int) -> Case:
    cells = {
        key: (row.get(columns[key]) or "").strip() if key in columns else ""
        for key in ("path", "name", "series")
    }
    if not cells["path"]:
        raise CaseListError(
            f"Line {line} of {table.name} has no path.", "Name a file or folder in each line."
        )
    try:
        path = (table.parent / Path(cells["path"]).expanduser()).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise CaseListError(
            f"The path in line {line} of {table.name} cannot be that of a file: {error}.",
            "Name a file or folder in each line.",
        ) from error
    name = cells["name"] or path.name.removesuffix(_ending(path.name))
    return Case(name=name, path=str(path), series=cells["series"])


def _series_cases(archive: Archive, studies: Sequence[Study], progress: Progress) -> list[Case]:
    cases: list[Case] = []
    for at, study in enumerate(studies):
        progress(at / len(studies), f"Study {at + 1} of {len(studies)}")
        images = [s for s in archive.series(study) if s.modality not in NO_IMAGES]
        cases += [_case(archive, study, series, progress) for series in images]
    return cases


def _case(archive: Archive, study: Study, series: StudySeries, progress: Progress) -> Case:
    """A series as a case; its name does not identify the patient."""
    day = study.day.isoformat() if study.day else ""
    number = "" if series.number is None else str(series.number)
    name = free_name("-".join(filter(None, (day, series.modality, number, series.description))), ())
    if isinstance(archive, DicomWeb):
        return Case(name=name, study=study.uid, series=series.uid, server=archive.url)
    folder = archive.fetch(series, progress)
    return Case(name=name, path=str(folder), series=series.uid)


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


def _ending(name: str) -> str:
    known = [e for e in IMAGES if name.lower().endswith(e)]
    return name[-len(max(known, key=len)) :] if known else ""


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip().lower()
    return str(getattr(error, "strerror", None) or error).rstrip(".")
