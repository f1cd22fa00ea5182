"""A tree of folders with DICOM files, searched as a PACS is."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.errors import ArchiveError, InvalidImage
from napari_medvlm.io.archive.base import (
    Progress,
    Query,
    Study,
    StudySeries,
    by_number,
    day_of,
    fits,
    newest_first,
)
from napari_medvlm.io.archive.cache import file_of
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.header import first_number, read_header, text

if TYPE_CHECKING:
    from pydicom import Dataset

KEYWORDS = [
    *("PatientName", "PatientID", "StudyDate", "StudyDescription", "StudyInstanceUID"),
    *("SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "InstanceNumber"),
]
RESULTS = "results"
SMALL = 96


class DicomTree:
    """An `Archive` that is a folder and all below it; read again at each search.

    Parameters
    ----------
    root
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.title = str(root)
        self._files: dict[str, list[tuple[Path, Dataset]]] = {}

    def studies(self, query: Query, progress: Progress) -> tuple[Study, ...]:
        """The studies that fit; files that cannot be read are passed over.

        Raises
        ------
        ArchiveError
            If the folder is not there.
        """
        self._files = self._read(progress)
        by_study: dict[str, list[Dataset]] = {}
        for files in self._files.values():
            first = files[0][1]
            by_study.setdefault(text(first, "StudyInstanceUID"), []).append(first)
        studies = [_study(uid, headers) for uid, headers in by_study.items()]
        return newest_first([study for study in studies if fits(query, study)])

    def series(self, study: Study) -> tuple[StudySeries, ...]:
        """The series of a study as of the last search."""
        return by_number(
            [
                _series(uid, files)
                for uid, files in self._files.items()
                if text(files[0][1], "StudyInstanceUID") == study.uid
            ]
        )

    def fetch(self, series: StudySeries, progress: Progress) -> Path:
        """The folder that all files of a series lie in or below."""
        progress(1, "")
        folders = [path.parent for path, _ in self._of(series)]
        return Path(os.path.commonpath(folders))

    def thumbnail(self, series: StudySeries) -> bytes | None:
        """The middle slice as PNG, or `None` if there is no picture of it."""
        from napari_medvlm.io.dicom.read import read_dicom

        files = sorted(self._of(series), key=lambda f: first_number(f[1], "InstanceNumber") or 0)
        try:
            volume = read_dicom(files[len(files) // 2][0])
        except InvalidImage:
            return None
        return _png(volume.data[len(volume.data) // 2])

    def store(self, files: Sequence[Path], progress: Progress) -> None:
        """Copy files into a folder of results.

        Raises
        ------
        ArchiveError
            If that is not possible.
        """
        try:
            for at, file in enumerate(files):
                progress(at / len(files), f"Copying {at + 1} of {len(files)}")
                uid = text(read_header(file, ["SOPInstanceUID"]), "SOPInstanceUID")
                (self.root / RESULTS).mkdir(exist_ok=True)
                shutil.copyfile(file, self.root / RESULTS / file_of(uid))
        except OSError as error:
            raise ArchiveError(
                f"Cannot write to {self.root}: {error.strerror}.",
                "Choose a folder that you may write to, with space left.",
            ) from error

    def _of(self, series: StudySeries) -> list[tuple[Path, Dataset]]:
        files = self._files.get(series.uid)
        if not files:
            raise ArchiveError(f"The series is not in {self.root}.", "Search again.")
        return files

    def _read(self, progress: Progress) -> dict[str, list[tuple[Path, Dataset]]]:
        if not self.root.is_dir():
            raise ArchiveError(f"There is no folder {self.root}.", "Choose another folder.")
        by_series: dict[str, list[tuple[Path, Dataset]]] = {}
        paths = sorted(p for p in self.root.rglob("*") if p.is_file())
        for at, path in enumerate(paths):
            if at % 20 == 0:
                progress(at / len(paths), f"{at} of {len(paths)} files")
            try:
                header = read_header(path, KEYWORDS) if is_dicom(path) else None
            except (InvalidImage, OSError):
                continue
            if header is not None and text(header, "SeriesInstanceUID"):
                by_series.setdefault(text(header, "SeriesInstanceUID"), []).append((path, header))
        return by_series


def _study(uid: str, headers: list[Dataset]) -> Study:
    first = headers[0]
    return Study(
        uid=uid,
        patient_name=text(first, "PatientName").replace("^", " ").strip(),
        patient_id=text(first, "PatientID"),
        day=day_of(text(first, "StudyDate")),
        description=text(first, "StudyDescription"),
        modalities=tuple(sorted({text(h, "Modality") for h in headers} - {""})),
        series=len(headers),
    )


def _series(uid: str, files: list[tuple[Path, Dataset]]) -> StudySeries:
    first = files[0][1]
    number = first_number(first, "SeriesNumber")
    return StudySeries(
        uid=uid,
        study_uid=text(first, "StudyInstanceUID"),
        number=None if number is None else int(number),
        description=text(first, "SeriesDescription"),
        modality=text(first, "Modality"),
        images=len(files),
    )


def _png(plane: np.ndarray) -> bytes:
    """A slice as a small picture, the brightest and darkest hundredth cut."""
    from PIL import Image

    step = max(1, max(plane.shape[:2]) // SMALL)
    small = plane[::step, ::step].astype(np.float32)
    low, high = np.percentile(small, (1, 99))
    grey = np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255
    written = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(written, "PNG")
    return written.getvalue()
