"""The header of a DICOM file and its values, checked: damaged ones are an `InvalidImage`."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

T = TypeVar("T")

KEYWORDS = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *(
        "Modality",
        "SliceLocation",
        "AcquisitionTime",
        "ImageType",
        "InstanceNumber",
        "AcquisitionNumber",
        "TemporalPositionIdentifier",
    ),
    *("EchoNumbers", "InversionTime", "FlipAngle", "RepetitionTime", "KVP", "ConvolutionKernel"),
    *("DiffusionGradientOrientation", "NominalPercentageOfCardiacPhase", "FrameReferenceTime"),
    "ContentTime",
    *("EchoTime", "DiffusionBValue", "TriggerTime", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("ImagerPixelSpacing", "NominalScannedPixelSpacing", "SliceThickness"),
    *("ImagePlanePixelSpacing", "PixelSpacingCalibrationType", "PixelAspectRatio"),
    *("FrameOfReferenceUID", "DimensionOrganizationType"),
    *("SpacingBetweenSlices", "GridFrameOffsetVector", "DoseGridScaling", "RescaleSlope"),
    *("RescaleType", "ModalityLUTSequence", "DoseUnits"),
    *("RescaleIntercept", "WindowCenter", "WindowWidth", "DetectorInformationSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("DimensionIndexSequence", "SequenceOfUltrasoundRegions", "FrameIncrementPointer"),
    *("NumberOfSlices", "SliceVector", "TimeSlotVector", "RRIntervalVector", "PhaseVector"),
    *("TimeSliceVector", "AngularViewVector", "RotationVector", "DetectorVector"),
    "EnergyWindowVector",
]
"""All that is read: what else stands in a header may be damaged without harm."""

COPY_AGAIN = "Copy or export the file again, or move it out of the folder."


ESCAPES = re.compile(r"\x1b[ -/]+[0-~]")
RUST_PANIC = "PanicException"
"""Decoders written in Rust raise it on damaged bytes; it is no `Exception`."""


def guarded(
    path: Path,
    action: Callable[[], T],
    problem: str = "is damaged or of an unknown kind",
    hint: str = COPY_AGAIN,
) -> T:
    """What ``action`` gives; whatever it raises is an `InvalidImage` that names the file.

    Parameters
    ----------
    problem, hint
        The message about the file, and the remedy.
    """
    with _quiet():
        try:
            return action()
        except InvalidImage:
            raise
        except BaseException as error:  # damaged bytes make pydicom raise anything
            if not isinstance(error, Exception) and type(error).__name__ != RUST_PANIC:
                raise
            raise InvalidImage(f"{path.name} {problem}: {_reason(error)}.", hint) from error


def _reason(error: BaseException) -> str:
    """The reason that a library gives, in a line, without the values that it quotes below it."""
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    if reason.endswith("plugins:"):  # the reasons of several decoders follow
        reason = lines[-1].strip()
    return reason[:160].rstrip(".:")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pydicom's warnings and log, which quote values, a patient's name among them."""
    log = logging.getLogger("pydicom")
    before = log.disabled
    log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def has_magic(path: Path) -> bool:
    """Whether the file starts as DICOM files do: 128 bytes of anything, then ``DICM``."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def starts_like_dataset(path: Path) -> bool:
    """Whether a file without the magic starts with an element of the first groups."""
    with path.open("rb") as file:
        group = file.read(2)
    return group in (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")


def read_header(path: Path, keywords: list[str] = KEYWORDS) -> Dataset:
    """The elements of a file that are needed, decoded, without its pixels.

    Its attribute ``pixels_at`` is the byte of the file where reading stopped: at the pixels.

    Raises
    ------
    InvalidImage
        If the file cannot be opened or one of the values cannot be decoded.
    """
    from pydicom import dcmread

    def read() -> Dataset:
        with path.open("rb") as file:
            header = dcmread(
                file, force=True, stop_before_pixels=True, specific_tags=_tags(tuple(keywords))
            )
            header.pixels_at = file.tell()
        getattr(header, "file_meta", {}).get("MediaStorageSOPClassUID")
        for _ in header.iterall():  # values are decoded when looked at: do it here
            pass
        return header

    return guarded(path, read)


@cache
def _tags(keywords: tuple[str, ...]) -> list[BaseTag]:
    from pydicom.tag import Tag

    return [Tag(keyword) for keyword in keywords]


@cache
def _tag(keyword: str) -> BaseTag:
    from pydicom.tag import Tag

    return Tag(keyword)


def value_of(values: Dataset, keyword: str) -> Any:
    """The value of an element, None if it is absent: faster than by pydicom's attributes."""
    tag = _tag(keyword)
    return values[tag].value if tag in values else None


def sop_class(header: Dataset) -> str:
    """The name of what the file holds, "CT Image Storage" say; empty if the file does not state it.

    What no standard names is "an unknown kind": the value itself may be anything.
    """
    from pydicom.uid import UID

    meta = getattr(header, "file_meta", {})
    with _quiet():
        uid = str(header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
        name = UID(uid).name
    return "an unknown kind" if name and name == uid else name


def numbers(path: Path, values: Dataset, keyword: str, count: int) -> FloatArray | None:
    """The ``count`` numbers of an element, or None if it is absent or empty.

    Raises
    ------
    InvalidImage
        If there are more or fewer, or one is not a finite number.
    """
    value = value_of(values, keyword)
    if value is None or (hasattr(value, "__len__") and not len(value)):
        return None
    try:
        result = np.atleast_1d(np.array(value, np.float64))
    except (TypeError, ValueError):
        result = np.empty(0)
    if result.shape != (count,) or not np.isfinite(result).all():
        raise InvalidImage(
            f"{keyword} of {path.name} is {str(value)[:60]!r}; {count} finite "
            f"{'number is' if count == 1 else 'numbers are'} needed.",
            COPY_AGAIN,
        )
    return result


def number(path: Path, values: Dataset, keyword: str) -> float | None:
    """The only number of an element, or None if it is absent or empty; see `numbers`."""
    result = numbers(path, values, keyword, 1)
    return None if result is None else float(result[0])


def first_number(values: Dataset, keyword: str) -> float | None:
    """The first of one or several numbers, or None where no finite one can be had."""
    value = value_of(values, keyword)
    try:
        result = float(np.atleast_1d(np.array(value, np.float64))[0])
    except (TypeError, ValueError, IndexError):
        return None
    return result if np.isfinite(result) else None


def integer(path: Path, values: Dataset, keyword: str, default: int) -> int:
    """A whole number, at least 0."""
    value = number(path, values, keyword)
    if value is None:
        return default
    if value < 0 or value != int(value):
        raise InvalidImage(f"{keyword} of {path.name} is {value:g}.", COPY_AGAIN)
    return int(value)


def text(values: Dataset, keyword: str) -> str:
    """A value as text without spaces around it; empty if it is absent."""
    value = value_of(values, keyword)
    return "" if value is None else without_escapes(str(value)).strip()


def without_escapes(value: str) -> str:
    """A text without the escape sequences of ISO 2022, which pydicom leaves in Chinese texts."""
    return ESCAPES.sub("", value) if "\x1b" in value else value


def item(values: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, or None."""
    sequence = value_of(values, keyword)
    return sequence[0] if sequence else None
