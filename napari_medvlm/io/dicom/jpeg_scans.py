"""JPEG frames whose scan headers break the standard in bytes that have one right value.

A sequential scan, baseline or extended, has the spectral selection 0 to 63 and no successive
approximation (ITU-T T.81, table B.3). Some encoders of 12-bit images write other values there,
which one decoder ignores and another refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

SEQUENTIAL = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
"""Transfer syntaxes: JPEG baseline and JPEG extended."""
SEQUENTIAL_FRAMES = (0xC0, 0xC1)
START_OF_SCAN = b"\xff\xda"
SELECTION = b"\x00\x3f\x00"


def mend_scans(dataset: Dataset) -> None:
    """Give the sequential scans of a dataset's frames the values of the standard, in place."""
    from pydicom.encaps import encapsulate, generate_frames

    if str(dataset.file_meta.TransferSyntaxUID) not in SEQUENTIAL:
        return
    count = int(dataset.get("NumberOfFrames") or 1)
    frames: Iterable[bytes] = generate_frames(dataset.PixelData, number_of_frames=count)
    before = list(frames)
    mended = [with_standard_scans(frame) for frame in before]
    if mended != before:
        dataset.PixelData = encapsulate(mended)
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                delattr(dataset, keyword)


def with_standard_scans(frame: bytes) -> bytes:
    """A frame with the spectral selection that all its sequential scans have."""
    first = _first_scan(frame)
    if first is None:
        return frame
    mended, at = bytearray(frame), first
    while at >= 0:  # in the coded data a byte FF is followed by 00 or a restart marker
        end = at + 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
        if end <= len(frame):
            mended[end - 3 : end] = SELECTION
        at = frame.find(START_OF_SCAN, max(end, at + 2))
    return bytes(mended)


def _first_scan(frame: bytes) -> int | None:
    """The byte at which the first scan of a sequential JPEG starts; None of others."""
    at, sequential = 2 if frame[:2] == b"\xff\xd8" else len(frame), False
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == START_OF_SCAN[1]:
            return at if sequential else None
        sequential = sequential or marker in SEQUENTIAL_FRAMES
        at += 1 if marker == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
