"""A slice that stands in its file as plain numbers, read straight from there.

That is most of what scanners write. Anything else is left to pydicom's decoders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.io.dicom_frames import Plane
from napari_medvlm.io.dicom_header import first_number, text

if TYPE_CHECKING:
    from pydicom import Dataset

PIXEL_DATA = b"\xe0\x7f\x10\x00"
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Transfer syntaxes: implicit and explicit, both little endian."""


def native_frame(plane: Plane) -> NDArray[Any] | None:
    """``(rows, columns)`` stored values, or None if a decoder is needed or the file is odd."""
    rows, columns, _ = plane.size
    kind = _kind(plane.header) if plane.size[2] == 1 else None
    if kind is None:
        return None
    dtype, stored = kind
    data = _bytes(plane.path, plane.header.pixels_at, rows * columns * dtype.itemsize)
    if data is None:
        return None
    frame = np.frombuffer(data, dtype).reshape(rows, columns)
    unused = 8 * dtype.itemsize - stored
    return np.right_shift(np.left_shift(frame, unused), unused) if unused else frame


def _kind(header: Dataset) -> tuple[np.dtype[Any], int] | None:
    """The type of a value and how many of its bits count; None if it is nothing simple."""
    meta = getattr(header, "file_meta", {})
    names = ("BitsAllocated", "BitsStored", "PixelRepresentation", "NumberOfFrames")
    allocated, stored, signed, frames = (first_number(header, name) for name in names)
    if (
        str(meta.get("TransferSyntaxUID", "")) not in UNCOMPRESSED
        or text(header, "PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2")
        or allocated not in (8, 16)
        or signed not in (0, 1)
        or frames not in (None, 1)
        or stored is None
        or not 1 <= stored <= allocated
    ):
        return None
    return np.dtype(f"<{'i' if signed else 'u'}{int(allocated) // 8}"), int(stored)


def _bytes(path: Path, at: int, wanted: int) -> bytes | None:
    """The pixels of a file whose element of pixels begins at a byte; None if it has another size.

    A header may be implicit or explicit there: the latter names its kind after the tag.
    """
    with path.open("rb") as file:
        file.seek(at)
        head = file.read(12)
        explicit = head[4:6] in (b"OW", b"OB")
        length = int.from_bytes(head[8:12] if explicit else head[4:8], "little")
        if head[:4] != PIXEL_DATA or length not in (wanted, wanted + wanted % 2):
            return None
        file.seek(at + (12 if explicit else 8))
        data = file.read(wanted)
    return data if len(data) == wanted else None
