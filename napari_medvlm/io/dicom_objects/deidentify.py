"""A series written without the patient's identity: all of it, or nothing under its final name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import CannotSave, InvalidImage
from napari_medvlm.io.dicom.folder import ENDINGS, is_dicom
from napari_medvlm.io.dicom.header import COPY_AGAIN, guarded, read_header, sop_class, text
from napari_medvlm.io.dicom.pixels import name_syntax
from napari_medvlm.io.dicom_objects.deidentification_profile import Deidentifier, Keep
from napari_medvlm.io.dicom_objects.seg_write import MAKER

if TYPE_CHECKING:
    from pydicom import Dataset

Progress = Callable[[float, str], None]

WRITTEN_ON = ("US", "IVUS", "XA", "RF", "CR", "DX", "MG", "IO", "PX", "XC", "ES", "GM", "OT", "SC")
"""Modalities in whose pictures names are often written."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    folder
        Where the files lie.
    files
        Their names: the new SOPInstanceUIDs.
    left_out
        The files that were not written, by name, with the reason.
    warnings
        What the user must look at before the files are given away, a sentence each.
    """

    folder: Path
    files: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, for a person."""
        count = len(self.files)
        were = "1 file was" if count == 1 else f"{count} files were"
        missing = len(self.left_out)
        some = (f"{missing} {'file was' if missing == 1 else 'files were'} left out:",)
        listed = tuple(f"{name}: {reason}" for name, reason in self.left_out)
        lines = (f"{were} written to {self.folder}.", *self.warnings)
        return lines + (some + listed if missing else ())


def deidentify(
    source: str | Path,
    out: str | Path,
    *,
    series: str | None = None,
    seed: str | None = None,
    keep: Keep | None = None,
    progress: Progress = lambda fraction, message: None,
) -> Exported:
    """Write DICOM files without the patient's identity: images, SEG, RTSTRUCT, and SR made here.

    Parameters
    ----------
    source
        A DICOM file, or a folder; all below it is taken.
    out
        A folder that is not there yet, or empty.
    series
        The UID of the only series that is taken.
    seed, keep
        See `Deidentifier` and `Keep`.

    Raises
    ------
    CannotSave
        If the folder has something in it, cannot be written to, or no file could be written.
    InvalidImage
        If there is no DICOM file, or none of the series.
    """
    source, out = Path(source), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CannotSave(f"{out} already exists and is not overwritten.", "Choose a new folder.")
    files = _files(source, series)
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        partial.mkdir(parents=True)
        exported = _written(files, partial, Deidentifier(seed, keep), progress)
        if not exported.files:
            name, reason = exported.left_out[0]
            raise CannotSave(
                f"None of the {len(files)} files could be written; {name}: {reason}",
                "Choose another series.",
            )
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise CannotSave(
            f"{out} could not be written: {error.strerror or error}.",
            "Choose a folder that you may write to, with space left.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(out, exported.files, exported.left_out, exported.warnings)


def _files(source: Path, series: str | None) -> list[Path]:
    if not source.exists():
        raise InvalidImage(
            f"There is no {source.name} in {source.parent.resolve()}.", "Check the path."
        )
    every = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    files = [p for p in every if is_dicom(p) or p.name.lower().endswith(ENDINGS)]
    if not files:
        raise InvalidImage(f"There is no DICOM file in {source.name}.", "Choose another folder.")
    if series is None:
        return files
    wanted = [p for p in files if _is_of(p, series)]
    if not wanted:
        raise InvalidImage(
            f"No file in {source.name} is of the series {series}.",
            "Name the series by its whole UID (SeriesInstanceUID).",
        )
    return wanted


def _is_of(path: Path, series: str) -> bool:
    try:
        return text(read_header(path, ["SeriesInstanceUID"]), "SeriesInstanceUID") == series
    except InvalidImage:
        return False


def _written(
    files: Sequence[Path], folder: Path, deidentifier: Deidentifier, progress: Progress
) -> Exported:
    names: list[str] = []
    left_out: list[tuple[str, str]] = []
    marked, unknown = 0, 0
    for at, path in enumerate(files):
        progress(at / len(files), f"{at + 1} of {len(files)} files")
        try:
            dataset = _read(path)
            is_marked, may_be = dataset.get("BurnedInAnnotation") == "YES", _may_be(dataset)
            names.append(_write(path, dataset, folder, deidentifier))
            marked, unknown = marked + is_marked, unknown + may_be
        except InvalidImage as error:
            left_out.append((path.name, error.message))
    progress(1, f"{len(names)} files")
    return Exported(folder, tuple(names), tuple(left_out), _warnings(marked, unknown))


def _read(path: Path) -> Dataset:
    """The whole file, if its kind can be cleaned."""
    from pydicom import dcmread

    if not is_dicom(path):
        raise InvalidImage(f"{path.name} is not DICOM.", COPY_AGAIN)
    kind = sop_class(read_header(path, ["SOPClassUID"]))
    if "Directory" in kind or "Encapsulated" in kind or not kind:
        what = kind or "of unknown kind"
        raise InvalidImage(f"{path.name} cannot be cleaned ({what}).", "Leave it out.")
    dataset: Dataset = guarded(path, lambda: dcmread(path, force=True))
    if "ContentSequence" in dataset and text(dataset, "Manufacturer") != MAKER:
        raise InvalidImage(
            f"{path.name} is a report by another program, which may name the patient anywhere.",
            "Leave it out.",
        )
    return dataset


def _write(path: Path, dataset: Dataset, folder: Path, deidentifier: Deidentifier) -> str:
    def write() -> str:
        name_syntax(dataset)
        if not dataset.get("SOPInstanceUID"):
            raise ValueError("it has no SOPInstanceUID")
        deidentifier.clean(dataset)
        name = f"{dataset.SOPInstanceUID}.dcm"
        if (folder / name).exists():
            raise ValueError("it is a second copy of another file")
        try:
            dataset.save_as(folder / name, enforce_file_format=True)
        except BaseException:
            (folder / name).unlink(missing_ok=True)
            raise
        return name

    return guarded(path, write)


def _may_be(dataset: Dataset) -> bool:
    """Whether pictures of this kind often have names in them, and nobody says that this has not."""
    if "Rows" not in dataset or dataset.get("BurnedInAnnotation") in ("YES", "NO"):
        return False
    return text(dataset, "Modality") in WRITTEN_ON or "Secondary Capture" in sop_class(dataset)


def _warnings(marked: int, unknown: int) -> tuple[str, ...]:
    warnings = []
    if marked:
        warnings.append(
            f"{_files_have(marked)} text burned into the image (BurnedInAnnotation is YES); it was "
            "not removed. Review the images before sharing."
        )
    if unknown:
        warnings.append(
            f"{_files_have(unknown)} no statement on burned-in text (no BurnedInAnnotation); "
            "any such text was not removed. Review the images before sharing."
        )
    return tuple(warnings)


def _files_have(count: int) -> str:
    return "1 file has" if count == 1 else f"{count} files have"
