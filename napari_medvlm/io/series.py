"""DICOM series and files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.errors import InvalidImage
from napari_medvlm.io.series_planes import Plane, header, planes_of, told
from napari_medvlm.io.series_stack import Gaps, stack
from napari_medvlm.io.values import finite, require_memory
from napari_medvlm.volume import Modality, Volume, Window

__all__ = ["Gaps", "SeriesInfo", "is_dicom", "list_series", "read_dicom"]


@dataclass(frozen=True)
class SeriesInfo:
    """A series in a folder."""

    uid: str
    number: int | None
    description: str
    modality: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        count = f"{len(self.files)} image" + ("s" if len(self.files) != 1 else "")
        number = "" if self.number is None else f"{self.number}: "
        return f"{number}{self.description or 'no description'} ({self.modality}, {count})"


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or (start[:1] in b"\x02\x08" and start[1:2] == b"\x00")


def list_series(folder: Path) -> tuple[SeriesInfo, ...]:
    """The series of images in a folder and below it, by number.

    Raises
    ------
    InvalidImage
        If a file is damaged.
    """
    files: dict[str, list[Path]] = defaultdict(list)
    first: dict[str, Any] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and is_dicom(p)):
        dataset = header(path)
        if "Rows" not in dataset:
            continue
        uid = str(dataset.get("SeriesInstanceUID", ""))
        files[uid].append(path)
        first.setdefault(uid, dataset)
    found = [_info(uid, first[uid], tuple(paths)) for uid, paths in files.items()]
    return tuple(sorted(found, key=lambda info: (info.number is None, info.number or 0, info.uid)))


def read_dicom(
    path: Path, series: str | None = None, frame: int | None = None, gaps: Gaps = Gaps.REFUSE
) -> Volume:
    """Read a file, or a series of a folder.

    Raises
    ------
    InvalidImage
        If it cannot be read, or a series, a volume or what to do with gaps must be chosen.
    """
    if path.is_dir():
        files: tuple[Path, ...] = _chosen(path, series).files
    elif is_dicom(path):
        files = (path,)
    else:
        raise InvalidImage(
            f"{path.name} is no image that can be read here.",
            "Choose NIfTI, NRRD, MetaImage, DICOM, PNG, JPEG or TIFF.",
        )
    dataset = header(files[0])
    planes = [plane for file in files for plane in planes_of(file)]
    _require_memory(path, planes, dataset)
    made = stack(planes, frame, gaps)
    data, mended = finite(made.data)
    with told(files[0]):
        return Volume(
            data=np.ascontiguousarray(data),
            affine=made.affine,
            modality=Modality(str(dataset.get("Modality", ""))),
            name=_name(dataset, path),
            source=path,
            window=_window(dataset),
            notes=(*made.notes, *mended, *_photometric(dataset)),
        )


def _info(uid: str, dataset: Any, files: tuple[Path, ...]) -> SeriesInfo:
    with told(files[0]):
        number = dataset.get("SeriesNumber")
        return SeriesInfo(
            uid=uid,
            number=None if number is None else int(number),
            description=str(dataset.get("SeriesDescription", "")),
            modality=str(dataset.get("Modality", "?")),
            files=files,
        )


def _chosen(folder: Path, series: str | None) -> SeriesInfo:
    found = list_series(folder)
    if not found:
        raise InvalidImage(
            f"There is no DICOM image in {folder.name}.", "Choose the folder that holds the images."
        )
    names = "; ".join(map(str, found))
    if series is None:
        if len(found) == 1:
            return found[0]
        raise InvalidImage(
            f"{folder.name} holds {len(found)} series: {names}.",
            "Choose one by its number or description: series='...' (--series on the command line).",
        )
    exact = [i for i in found if series in (i.uid, str(i.number), i.description)]
    fitting = exact or [i for i in found if series.lower() in i.description.lower()]
    if len(fitting) != 1:
        raise InvalidImage(
            f"{len(fitting)} series fit {series!r} in {folder.name}. There are: {names}.",
            "Name one by its number or its full description.",
        )
    return fitting[0]


def _require_memory(path: Path, planes: list[Plane], dataset: Any) -> None:
    colors = int(dataset.get("SamplesPerPixel", 1) or 1)
    rows, columns = planes[0].shape
    require_memory(path, float(rows) * columns * len(planes) * max(colors, 2) * 2)


def _name(dataset: Any, path: Path) -> str:
    """For people, and never the patient's."""
    described = str(dataset.get("SeriesDescription", "") or "").strip()
    return described or f"{dataset.get('Modality', 'DICOM')} {path.stem}"


def _window(dataset: Any) -> Window | None:
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    values = [v[0] if hasattr(v, "__len__") and len(v) else v for v in (center, width)]
    try:
        window = Window(float(values[0]), float(values[1]))
    except (TypeError, ValueError):
        return None
    return window if window.width > 0 else None


def _photometric(dataset: Any) -> tuple[str, ...]:
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        return ("Dark and bright are exchanged in this kind of image (MONOCHROME1).",)
    if "PixelSpacing" not in dataset and "ImagerPixelSpacing" in dataset:
        return ("The pixel spacing is that at the detector, not in the patient.",)
    return ()
