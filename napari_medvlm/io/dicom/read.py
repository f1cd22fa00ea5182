"""DICOM: a file, or a series of a folder, as a volume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.array_checks import finite
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.io.dicom.folder import SeriesInfo, headers_of, is_dicom, list_series
from napari_medvlm.io.dicom.frames import Plane, planes_of
from napari_medvlm.io.dicom.header import read_header, text
from napari_medvlm.io.dicom.pixels import interpolated, read_pixels
from napari_medvlm.io.dicom.slice_gaps import Gaps, Stack
from napari_medvlm.io.dicom.slices import stack
from napari_medvlm.io.dicom.suv import Suv, suv_of
from napari_medvlm.io.dicom.units import NO_HU_IN_CAPTURE, is_plain_capture, mapped_unit, unit_of
from napari_medvlm.settings.privacy import names_somebody, words_of

if TYPE_CHECKING:
    from pydicom import Dataset

NAMING = ("PatientName", "PatientID", "OtherPatientNames", "OtherPatientIDs")

__all__ = ["Gaps", "SeriesInfo", "is_dicom", "list_series", "read_dicom"]


def read_dicom(
    path: Path, series: str | None = None, frame: int | None = None, gaps: Gaps = Gaps.REFUSE
) -> Volume:
    """Read a DICOM file, or a series of a folder.

    Parameters
    ----------
    series
        Which series of the folder: its UID, its number or a part of its description.
    frame
        Which volume of a series with several, from 0: echoes, time points, b-values.
    gaps
        What to do where slices are missing or unevenly spaced.

    Raises
    ------
    InvalidImage
        If a choice is needed, if the slices make no regular volume, if a file is damaged, or if
        the image does not fit into memory.
    """
    headers = headers_of(path, series)
    planes = [plane for file, header in headers for plane in planes_of(file, header)]
    return _volume(stack(planes, frame, Gaps(gaps)), path)


def _volume(chosen: Stack, path: Path) -> Volume:
    stored = read_pixels(chosen.planes, path)
    data, mended = finite(interpolated(stored, chosen.samples))
    first = chosen.planes[0]
    modality = Modality(text(first.header, "Modality"))
    files = list(dict.fromkeys(plane.path for plane in chosen.planes))
    suv = Suv(None)
    if modality is Modality.PT:
        suv = suv_of(files, mapped_unit([plane.rescale_type for plane in chosen.planes]))
    unit, unit_notes = _unit(chosen.planes, suv)
    patient = _patient(first)
    return Volume(
        data,
        chosen.affine,
        modality,
        _name(first.header, patient),
        source=path,
        window=first.window,
        notes=(
            *chosen.notes,
            *first.notes,
            *_brightness(first),
            *unit_notes,
            *mended,
            *filter(None, [suv.note]),
        ),
        series=text(first.header, "SeriesInstanceUID"),
        suv=suv.factor,
        stated_unit=unit,
        patient=patient,
    )


def _unit(planes: list[Plane], suv: Suv) -> tuple[str | None, tuple[str, ...]]:
    """The unit of the intensities as the header states it, and what is to be reported of it."""
    header = planes[0].header
    match text(header, "Modality"):
        case "PT":
            return suv.unit, ()
        case "RTDOSE":
            return ("Gy" if text(header, "DoseUnits").upper() == "GY" else ""), ()
        case "CT" if is_plain_capture(header):
            return "", (NO_HU_IN_CAPTURE,)
        case modality:
            return unit_of([plane.rescale_type for plane in planes], modality)


def _patient(plane: Plane) -> frozenset[str]:
    """Words that identify the patient; none if the file has none, or is damaged there."""
    try:
        header = read_header(plane.path, list(NAMING))
    except InvalidImage:
        return frozenset()
    return words_of(*(text(header, keyword) for keyword in NAMING))


def _name(header: Dataset, patient: frozenset[str]) -> str:
    """The series' description; never what would name the patient."""
    plain = f"{text(header, 'Modality') or 'DICOM'} series {text(header, 'SeriesNumber')}".strip()
    described = text(header, "SeriesDescription")
    return plain if not described or names_somebody(described, patient) else described


def _brightness(plane: Plane) -> tuple[str, ...]:
    if text(plane.header, "PhotometricInterpretation") != "MONOCHROME1":
        return ()
    return ("Low values are meant to be shown bright (MONOCHROME1); the values are unchanged.",)
