"""A slice that stands in its file as plain numbers, read straight from there.

That is most of what scanners write. Anything else is left to pydicom's decoders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.io.dicom.frames import Plane
from napari_medvlm.io.dicom.header import first_number, text

if TYPE_CHECKING:
    from pydicom import Dataset

PIXEL_DATA = b"\xe0\x7f\x10\x00"
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Transfer syntaxes: implicit and explicit, both little endian."""


def fill_native(plane: Plane, target: NDArray[Any]) -> bool:
    """Read the intensities of a slice into ``target`` (rows, columns), without a copy between.

    Returns
    -------
    Whether it could be done. If not, a decoder is needed, the type of the target does not hold the
    values, or the file is odd; the target may have been written to.
    """
    kind = _kind(plane.header) if plane.size[2] == 1 and not plane.has_table else None
    slope, intercept = plane.rescale
    if kind is None or slope != 1 or intercept != int(intercept):
        return False
    dtype, stored = kind
    if target.dtype.kind not in "iu" or target.itemsize != dtype.itemsize:
        return False
    raw = target.view(dtype)
    if not _read(plane.path, plane.header.pixels_at, raw):
        return False
    unused = 8 * dtype.itemsize - stored
    if unused:
        np.left_shift(raw, unused, out=raw)
        np.right_shift(raw, unused, out=raw)
    return _shifted(raw, int(intercept), target)


def _shifted(raw: NDArray[Any], intercept: int, target: NDArray[Any]) -> bool:
    """Add the intercept in place if the target's type holds the results."""
    if raw.dtype == target.dtype and not intercept:
        return True
    limits = np.iinfo(target.dtype)
    if not limits.min <= int(raw.min()) + intercept <= int(raw.max()) + intercept <= limits.max:
        return False
    turns = np.array(intercept % (limits.max - limits.min + 1), np.uint64)
    np.add(target, turns.astype(target.dtype), out=target)  # turns over to the right result
    return True


def _kind(header: Dataset) -> tuple[np.dtype[Any], int] | None:
    """The type of a value and how many of its bits count; None if it is nothing simple."""
    meta = getattr(header, "file_meta", {})
    names = ("BitsAllocated", "BitsStored", "PixelRepresentation", "NumberOfFrames", "HighBit")
    allocated, stored, signed, frames, high = (first_number(header, name) for name in names)
    if (
        str(meta.get("TransferSyntaxUID", "")) not in UNCOMPRESSED
        or text(header, "PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2")
        or allocated not in (8, 16)
        or signed not in (0, 1)
        or frames not in (None, 1)
        or stored is None
        or not 1 <= stored <= allocated
        or (high is not None and high >= stored)
    ):
        return None
    return np.dtype(f"<{'i' if signed else 'u'}{int(allocated) // 8}"), int(stored)


def _read(path: Path, at: int, raw: NDArray[Any]) -> bool:
    """Read the pixels of a file whose element of pixels begins at a byte, if it has that size.

    A header may be implicit or explicit there: the latter names its kind after the tag.
    """
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(at)
            head = file.read(12)
            explicit = head[4:6] in (b"OW", b"OB")
            length = int.from_bytes(head[8:12] if explicit else head[4:8], "little")
            if head[:4] != PIXEL_DATA or length not in (raw.nbytes, raw.nbytes + raw.nbytes % 2):
                return False
            file.seek(at + (12 if explicit else 8))
            return file.readinto(raw.data) == raw.nbytes
    except OSError:  # reported when the decoder meets it
        return False
