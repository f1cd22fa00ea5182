"""What the frames of a file without functional groups are: slices, volumes, times or projections.

FrameIncrementPointer names the vectors that vary from frame to frame (DICOM PS3.3, C.7.6.6 and, for
nuclear medicine, C.8.4.8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.dicom.header import COPY_AGAIN, integer, numbers, text

if TYPE_CHECKING:
    from pydicom import Dataset

SLICE = "SliceVector"
PROJECTIONS = ("AngularViewVector", "RotationVector")
TIMES = (
    *("TimeSliceVector", "PhaseVector", "TimeSlotVector", "RRIntervalVector"),
    *("FrameTime", "FrameTimeVector"),
)
IMAGES = ("DetectorVector", "EnergyWindowVector")
VECTORS = (SLICE, *PROJECTIONS, *TIMES[:4], *IMAGES)
"""Elements with a number for each frame."""
MOVING = ("US", "XA", "RF")
"""Modalities whose frames follow each other in time unless the header says otherwise."""


@dataclass(frozen=True, eq=False)
class FrameOrder:
    """How the frames of a file are arranged.

    Parameters
    ----------
    slices
        ``(frames,)`` the slice that a frame shows, counted from the first frame's.
    labels
        For each frame what distinguishes it from others of the same slice, by DICOM keyword.
    notes
        What the frames are where they are no slices, and what was assumed.
    """

    slices: FloatArray
    labels: tuple[dict[str, tuple[float, ...]], ...]
    notes: tuple[str, ...] = ()


def frame_order(path: Path, header: Dataset, count: int) -> FrameOrder:
    """The arrangement of ``count`` frames.

    Raises
    ------
    InvalidImage
        If the vector of slices does not have a number for each frame.
    """
    pointers = _pointers(header)
    vectors = {
        keyword: vector
        for keyword in VECTORS
        if (not pointers or keyword in pointers)
        and (vector := _vector(path, header, keyword, count)) is not None
    }
    if SLICE in vectors:
        return _by_slice(vectors)
    slices = integer(path, header, "NumberOfSlices", 0)
    if SLICE in pointers and slices and count != slices:
        return _by_number(path, count, slices)
    none: dict[str, tuple[float, ...]] = {}
    order = np.arange(count, dtype=np.float64)
    return FrameOrder(order, (none,) * count, _notes(header, count, pointers))


def _vector(path: Path, header: Dataset, keyword: str, count: int) -> FloatArray | None:
    """A number for each frame; None where there is none or, of all but slices, not so many."""
    try:
        return numbers(path, header, keyword, count)
    except InvalidImage:
        if keyword == SLICE:
            raise
        return None


def _pointers(header: Dataset) -> list[str]:
    """The keywords of the elements that FrameIncrementPointer points at."""
    from pydicom.datadict import keyword_for_tag

    value: Any = header.get("FrameIncrementPointer")
    if value is None:
        return []
    values = list(value) if isinstance(value, Iterable) else [value]
    return [keyword_for_tag(tag) for tag in values]


def _by_slice(vectors: dict[str, FloatArray]) -> FrameOrder:
    slices = vectors[SLICE]
    varying = {
        keyword: vector
        for keyword, vector in vectors.items()
        if keyword != SLICE and len(np.unique(vector)) > 1
    }
    labels: tuple[dict[str, tuple[float, ...]], ...] = tuple(
        {keyword: (float(vector[i]),) for keyword, vector in varying.items()}
        for i in range(len(slices))
    )
    return FrameOrder(slices - slices[0], labels)


def _by_number(path: Path, count: int, slices: int) -> FrameOrder:
    """Volumes that follow each other, of a file that does not list which frame is which slice."""
    if count % slices:
        raise InvalidImage(
            f"{path.name} promises {slices} slices and holds {count} frames.", COPY_AGAIN
        )
    frames = np.arange(count)
    labels: tuple[dict[str, tuple[float, ...]], ...] = tuple(
        {"volume": (float(i // slices + 1),)} for i in frames
    )
    note = "The file does not list which frame is which slice; slice after slice is assumed."
    return FrameOrder((frames % slices).astype(np.float64), labels, (note,))


def _notes(header: Dataset, count: int, pointers: list[str]) -> tuple[str, ...]:
    """What frames without a vector of slices are, if they are no slices."""
    kind, modality = text(header, "ImageType").upper(), text(header, "Modality")
    nuclear = modality == "NM" and not pointers and "RECON" not in kind
    stated = set(pointers)
    if stated & set(PROJECTIONS) or (nuclear and "TOMO" in kind):
        return (f"The {count} frames are projections from several angles, shown as slices.",)
    in_time = stated & set(TIMES) or (nuclear and ("DYNAMIC" in kind or "GATED" in kind))
    placed = header.get("ImagePositionPatient") is not None
    moving = modality in MOVING and not pointers and not (placed and modality != "US")
    if in_time or moving:
        return (f"The {count} frames follow each other in time, shown as slices.",)
    if stated & set(IMAGES) or (nuclear and ("STATIC" in kind or "WHOLE BODY" in kind)):
        return (
            f"The {count} frames are images of several detectors or energy windows, shown as "
            "slices.",
        )
    return ()
