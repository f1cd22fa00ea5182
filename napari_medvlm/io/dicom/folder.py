"""The files and series of a folder, and which of them is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.header import (
    COPY_AGAIN,
    first_number,
    has_magic,
    read_header,
    sop_class,
    starts_like_dataset,
    text,
)

if TYPE_CHECKING:
    from pydicom import Dataset

ENDINGS = (".dcm", ".ima", ".dicom")
FILES_OF_A_FOLDER, MOST_FILES = 50, 5000
"""How many files are looked at to know whether a folder has DICOM files."""
NOT_SHOWN = ("SEG", "RTDOSE", "DOC")
"""Modalities of files with pixels that are no image; they accompany one in its folder."""


@dataclass(frozen=True)
class SeriesInfo:
    """A series of a folder, for a menu.

    Parameters
    ----------
    uid
        SeriesInstanceUID; empty if the files do not give it.
    number
        SeriesNumber.
    files
        Its image files, in the order of their paths.
    """

    uid: str
    number: int | None
    description: str
    modality: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        count = f"{len(self.files)} image" + ("" if len(self.files) == 1 else "s")
        number = "" if self.number is None else f"{self.number}: "
        kind = ", ".join(filter(None, (self.modality, count)))
        return f"{number}{self.description or 'no description'} ({kind})"


@dataclass(frozen=True, eq=False)
class _Scan:
    """What a folder holds: the headers of each series, and the files that cannot be read.

    ``damaged`` has their series' UIDs as far as they are known, else an empty text.
    """

    series: dict[SeriesInfo, list[tuple[Path, Dataset]]]
    damaged: list[tuple[str, InvalidImage]]


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its magic or, without it, by a header that can be read."""
    if not path.is_file():
        return False
    try:
        if has_magic(path):
            return True
        return starts_like_dataset(path) and bool(
            read_header(path, ["SOPClassUID"]).get("SOPClassUID")
        )
    except (InvalidImage, OSError):
        return False


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or one below it, has a DICOM file, as far as some files of each show.

    Names as DICOM files have them come first; the viewer next to the images of a CD counts for
    nothing, and a tree of a great many other files does not take long.
    """
    looked_at = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        files = sorted(names, key=lambda name: (not _is_likely(name), name))[:FILES_OF_A_FOLDER]
        if any(is_dicom(Path(parent, name)) for name in files):
            return True
        looked_at += len(files)
        if looked_at > MOST_FILES:
            return False
    return False


def _is_likely(name: str) -> bool:
    """Whether a name ends as DICOM files do, in a number or without an ending."""
    ending = Path(name).suffix.lower()
    return ending in ("", *ENDINGS) or ending[1:].isdigit()


def list_series(folder: Path) -> tuple[SeriesInfo, ...]:
    """The series of images in a folder and below it, by number; what is no image is left out."""
    return tuple(_scan(folder).series)


def headers_of(path: Path, series: str | None) -> list[tuple[Path, Dataset]]:
    """The files that make up an image, with their headers: one file, or those of a series.

    Raises
    ------
    InvalidImage
        If there is no image, a file is damaged, or the folder has several series and none, or not
        exactly one, is chosen.
    """
    if path.is_dir():
        return _distinct(_series_headers(path, series))
    header = _image_header(path)
    if header is None:
        kind = sop_class(read_header(path))
        hints = {
            "Directory": "Load its folder instead.",
            "SR Storage": "Open its folder in the PACS dock, which shows reports.",
        }
        hint = next((hints[k] for k in hints if k in kind), "Load a file with an image.")
        raise InvalidImage(f"{path.name} holds no image ({kind}).", hint)
    return [(path, header)]


def _image_header(path: Path) -> Dataset | None:
    """The header, None if the file holds no image, `InvalidImage` if it is damaged."""
    if not path.is_file():
        raise InvalidImage(
            f"There is no file {path.name} in {path.parent.resolve()}.", "Check the path."
        )
    size = path.stat().st_size
    if size == 0:
        raise InvalidImage(f"{path.name} is empty (0 bytes).", COPY_AGAIN)
    if not is_dicom(path):
        raise InvalidImage(
            f"{path.name} is not DICOM: {size} bytes without the mark DICM or a header.",
            "Load a DICOM file, NIfTI, NRRD, MetaImage or a picture.",
        )
    header = read_header(path)
    if header.get("Rows") is not None:
        return header
    if not sop_class(header) or "Image" in sop_class(header):
        raise InvalidImage(f"{path.name} is cut off in its header, after {size} bytes.", COPY_AGAIN)
    return None


def _scan(folder: Path) -> _Scan:
    matching: dict[str, list[tuple[Path, Dataset]]] = {}
    damaged: list[tuple[str, InvalidImage]] = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if not is_dicom(file) and not file.name.lower().endswith(ENDINGS):
            continue
        try:
            header = _image_header(file)
        except InvalidImage as error:
            damaged.append((_series_uid(file), error))
            continue
        if header is not None and text(header, "Modality") not in NOT_SHOWN:
            matching.setdefault(text(header, "SeriesInstanceUID"), []).append((file, header))
    infos = {_info(uid, headers): headers for uid, headers in matching.items()}
    order = sorted(infos, key=lambda i: (i.number is None, i.number or 0, i.uid))
    return _Scan({info: infos[info] for info in order}, damaged)


def _series_uid(damaged: Path) -> str:
    try:
        return text(read_header(damaged, ["SeriesInstanceUID"]), "SeriesInstanceUID")
    except InvalidImage:
        return ""


def _info(uid: str, headers: list[tuple[Path, Dataset]]) -> SeriesInfo:
    header = headers[0][1]
    number = first_number(header, "SeriesNumber")
    return SeriesInfo(
        uid,
        None if number is None else int(number),
        text(header, "SeriesDescription"),
        text(header, "Modality"),
        tuple(file for file, _ in headers),
    )


def _series_headers(folder: Path, series: str | None) -> list[tuple[Path, Dataset]]:
    scan = _scan(folder)
    if not scan.series:
        for _, error in scan.damaged:
            raise error
        raise InvalidImage(
            f"There is no DICOM image in {folder.name} or below it.", "Choose another folder."
        )
    infos = list(scan.series)
    matching = infos if series is None else _matching(infos, series)
    if len(matching) == 1:
        for uid, error in scan.damaged:
            if uid in ("", matching[0].uid):  # it would be a missing slice
                raise error
        return scan.series[matching[0]]
    several = f"{folder.name} holds {len(infos)} series"
    if series is not None:
        several = f"{series!r} matches {len(matching) or 'none'} of the {len(infos)} series"
    listed = "; ".join(map(str, matching or infos))
    raise InvalidImage(
        f"{several}: {listed}.",
        "Choose one with series= (--series on the command line) and its number, UID or a part of "
        "its description.",
    )


def _matching(infos: list[SeriesInfo], series: str) -> list[SeriesInfo]:
    """By UID, else by number, else by description."""
    wanted = str(series).strip()
    return (
        [info for info in infos if info.uid == wanted]
        or [info for info in infos if str(info.number) == wanted]
        or [info for info in infos if wanted and wanted.lower() in info.description.lower()]
    )


def _distinct(headers: list[tuple[Path, Dataset]]) -> list[tuple[Path, Dataset]]:
    """Without second copies of a file."""
    unique: dict[tuple[str, ...], tuple[Path, Dataset]] = {}
    for file, header in headers:
        keys = ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient")
        key = tuple(text(header, keyword) for keyword in keys)
        unique.setdefault(key if key[0] else (str(file),), (file, header))
    return list(unique.values())
