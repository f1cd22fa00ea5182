"""Sources of cases: folders, tables, and the studies of archives."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from napari_medvlm.data.errors import CaseListError
from napari_medvlm.io.archive.base import Archive, Progress, Query, Study, StudySeries
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.folder_archive import DicomTree
from napari_medvlm.io.archive.servers import require_remembered
from napari_medvlm.sessions.cases.case_list import Case, free_name

IMAGES = (".nii", ".nii.gz", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd")
NO_IMAGES = ("SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "OT")
"""Modalities of series that are no images."""


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
    cases = cases_of_studies(tree, tree.studies(Query(), progress), progress)
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
            f"{path.name} cannot be read: {reason_of(error)}.", "Save the table as CSV in UTF-8."
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


def cases_of_studies(archive: Archive, studies: Sequence[Study], progress: Progress) -> list[Case]:
    """The series of images of studies, as cases."""
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


def _ending(name: str) -> str:
    known = [e for e in IMAGES if name.lower().endswith(e)]
    return name[-len(max(known, key=len)) :] if known else ""


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without a full stop."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip().lower()
    return str(getattr(error, "strerror", None) or error).rstrip(".")
