"""The planes of DICOM files: where each lies, and its pixels when asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import InvalidImage
from napari_medvlm.geometry import FloatArray

VARYING = (
    "EchoTime",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "DiffusionBValue",
    "TriggerTime",
    "AcquisitionNumber",
    "ImageType",
    "InstanceNumber",
)
"""What may tell apart planes at one position, the most telling first."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One picture of a series.

    Attributes
    ----------
    position_mm, rows_mm, columns_mm
        LPS millimetres of its first pixel, and the steps to the next row and the next column.
        `None` where the file does not tell.
    spacing_mm
        Distance of rows and of columns, `None` where the file does not tell.
    thickness_mm
        Distance to the next plane, or thickness, as the header says.
    pixels
        Reads its pixels: ``(rows, columns)``, or ``(rows, columns, 3)`` uint8.
    varies
        Values of `VARYING`.
    """

    path: Path
    shape: tuple[int, int]
    position_mm: FloatArray | None
    directions: FloatArray | None
    spacing_mm: tuple[float, float] | None
    thickness_mm: float
    pixels: Callable[[], NDArray[Any]]
    varies: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Whatever pydicom raises on damaged bytes, as a sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InvalidImage:
        raise
    except Exception as error:  # damaged bytes make pydicom raise anything
        reason = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        raise InvalidImage(
            f"{path.name} cannot be read as a DICOM image; it may be damaged ({reason}).",
            "Fetch the file again, or take it out of the folder.",
        ) from error


def header(path: Path) -> Any:
    """The data set of a file without its pixels."""
    import pydicom

    with told(path):
        return pydicom.dcmread(path, stop_before_pixels=True)


def planes_of(path: Path) -> list[Plane]:
    """The planes of a file, one for each frame."""
    with told(path):
        dataset = header(path)
        if "Rows" not in dataset or "Columns" not in dataset:
            raise InvalidImage(f"{path.name} is DICOM, but no image.", "Choose an image series.")
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        if frames == 1 and "PerFrameFunctionalGroupsSequence" not in dataset:
            return [_single(path, dataset)]
        pixels = _Frames(path, frames)
        return [_frame(path, dataset, i, pixels) for i in range(frames)]


def _single(path: Path, dataset: Any) -> Plane:
    return _plane(path, dataset, [dataset], lambda: _Frames(path, 1).read(0))


def _frame(path: Path, dataset: Any, index: int, pixels: _Frames) -> Plane:
    shared = dataset.get("SharedFunctionalGroupsSequence") or [None]
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    groups = [own[index] if own else None, shared[0]]
    places = [item for group in groups if group is not None for item in _items(group)]
    return _plane(path, dataset, [*places, dataset], lambda: pixels.read(index))


def _items(group: Any) -> Iterator[Any]:
    """The single items of a functional group's sequences."""
    for element in group:
        if element.VR == "SQ" and len(element.value):
            yield element.value[0]


def _plane(
    path: Path, dataset: Any, places: list[Any], pixels: Callable[[], NDArray[Any]]
) -> Plane:
    position = _find(places, "ImagePositionPatient")
    orientation = _find(places, "ImageOrientationPatient")
    spacing = _find(places, "PixelSpacing") or _find(places, "ImagerPixelSpacing")
    gap = _find(places, "SpacingBetweenSlices") or _find(places, "SliceThickness")
    placed = position is not None and orientation is not None
    return Plane(
        path=path,
        shape=(int(dataset.Rows), int(dataset.Columns)),
        position_mm=np.array(position, float) if placed else None,
        directions=np.array(orientation, float).reshape(2, 3) if placed else None,
        spacing_mm=_spacing(path, spacing),
        thickness_mm=abs(float(gap)) if gap else 1.0,
        pixels=pixels,
        varies={name: str(v) for name in VARYING if (v := _find(places, name)) is not None},
    )


def _find(places: list[Any], name: str) -> Any:
    """The first value that is not empty."""
    found = (place.get(name) for place in places)
    return next((v for v in found if v is not None and v != ""), None)


def _spacing(path: Path, values: Any) -> tuple[float, float] | None:
    if values is None:
        return None
    down, across = (float(v) for v in values)
    if not (down > 0 and across > 0):
        raise InvalidImage(
            f"{path.name} says that its pixels are {down:g} x {across:g} mm large.",
            "Repair PixelSpacing in the header, or choose another series.",
        )
    return down, across


class _Frames:
    """The pixels of one file, decoded once."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._all: NDArray[Any] | None = None

    def read(self, index: int) -> NDArray[Any]:
        with told(self._path):
            if self._all is None:
                self._all = self._decode()
            return self._all[index]

    def _decode(self) -> NDArray[Any]:
        import pydicom
        from pydicom.pixels import apply_color_lut, pixel_array

        dataset = pydicom.dcmread(self._path)
        pixels = pixel_array(dataset)
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
        colored = pixels.ndim > 2 and pixels.shape[-1] == 3
        if pixels.ndim == (3 if colored else 2):
            pixels = pixels[None]
        if colored:
            return pixels if pixels.dtype == np.uint8 else _bytes(pixels)
        return _rescaled(pixels, dataset)


def _bytes(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of more than 8 bits, brought to 8."""
    high = max(float(colors.max()), 1.0)
    result: NDArray[np.uint8] = (colors * (255 / high)).astype(np.uint8)
    return result


def _rescaled(pixels: NDArray[Any], dataset: Any) -> NDArray[Any]:
    """Stored values as the scanner meant them; whole numbers stay whole."""
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence") or [None]
    frames = []
    for index, frame in enumerate(pixels):
        groups = [own[index] if own else None, shared[0]]
        places = [item for group in groups if group is not None for item in _items(group)]
        slope = float(_find([*places, dataset], "RescaleSlope") or 1)
        intercept = float(_find([*places, dataset], "RescaleIntercept") or 0)
        frames.append(_linear(frame, slope, intercept))
    return np.stack(frames)


def _linear(frame: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    if slope == 1 and intercept == int(intercept):
        whole = frame.astype(np.int32) + int(intercept)
        small = np.iinfo(np.int16)
        fits = whole.size == 0 or (whole.min() >= small.min and whole.max() <= small.max)
        return whole.astype(np.int16) if fits else whole
    result: NDArray[Any] = frame.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return result
