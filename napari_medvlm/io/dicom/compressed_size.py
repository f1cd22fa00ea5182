"""The size that a compressed picture states of itself, before a decoder makes that many pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom.header import COPY_AGAIN

if TYPE_CHECKING:
    from pydicom import Dataset

NO_FRAME = (0xC4, 0xC8, 0xCC)
"""JPEG's markers among those of frames that begin none."""


def require_stated_sizes(path: Path, dataset: Dataset) -> None:
    """See that no compressed picture is larger than the header says.

    Raises
    ------
    InvalidImage
        If one is: a few damaged bytes would make a decoder take minutes, or all memory.
    """
    from pydicom.encaps import generate_frames

    rows, columns = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    frames: Iterable[bytes] = generate_frames(dataset.PixelData, number_of_frames=count)
    for number, frame in enumerate(frames, 1):
        height, width = stated_size(frame) or (rows, columns)
        if height * width > rows * columns:
            raise InvalidImage(
                f"Picture {number} of {path.name} is {height} x {width} pixels, its header says "
                f"{rows} x {columns}.",
                COPY_AGAIN,
            )


def stated_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns as a JPEG, JPEG-LS or JPEG 2000 states them; None if it does not."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        right, bottom, left, top = (_number(frame, at, 4) for at in (8, 12, 16, 20))
        return bottom - top, right - left
    at = 2 if frame[:2] == b"\xff\xd8" else len(frame)
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if (0xC0 <= marker <= 0xCF and marker not in NO_FRAME) or marker == 0xF7:
            return _number(frame, at + 5, 2), _number(frame, at + 7, 2)
        at += 1 if marker == 0xFF else 2 + _number(frame, at + 2, 2)
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
