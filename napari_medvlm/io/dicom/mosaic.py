"""Siemens MOSAIC pictures: all slices of a volume as tiles of one picture.

The position of the first slice, the order of the tiles and the direction of the slices follow
Siemens' private CSA header as described in nibabel's "DICOM mosaic" notes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.dicom.header import COPY_AGAIN, guarded, integer, read_header, text

if TYPE_CHECKING:
    from pydicom import Dataset

SIEMENS_MR, NUMBER_OF_IMAGES = "SIEMENS MR HEADER", 0x0A
BLOCKS = range(0x10, 0x14)
"""Where in its group a private block may stand, as far as is looked at."""
TAGS = [
    *(f"{group}00{block:02X}" for group in ("0019", "0029") for block in BLOCKS),
    *(f"0019{block:02X}0A" for block in BLOCKS),
    *(f"0029{block:02X}10" for block in BLOCKS),
]
ASSUMED_NORMAL = (
    "The file is a mosaic without Siemens' CSA header: the order of its slices, head or feet "
    "first, is assumed."
)
REVERSED = "The mosaic's first slice is the last of the protocol: its slices may be in reverse."


@dataclass(frozen=True, eq=False)
class Mosaic:
    """How the slices of a volume lie in one picture.

    Parameters
    ----------
    tiles
        The first row and column of each slice in the picture, in the order of the slices.
    size
        Rows and columns of a slice.
    offset
        ``(2,)`` rows and columns from the first pixel as the header places it to the first pixel
        of the first slice: the header's position is for a slice as large as the picture.
    normal
        ``(3,)`` unit vector from a slice to the next, LPS; None if the file does not state it.
    notes
        What was assumed.
    """

    tiles: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    offset: FloatArray
    normal: FloatArray | None
    notes: tuple[str, ...]


def mosaic_of(path: Path, header: Dataset) -> Mosaic | None:
    """The slices of a mosaic, or None of another picture.

    Raises
    ------
    InvalidImage
        If it is a mosaic and does not state how many slices it has, or cannot have as many.
    """
    if "MOSAIC" not in text(header, "ImageType").upper():
        return None
    private = read_header(path, TAGS)
    csa = guarded(path, lambda: _csa(private))
    count = _count(private, csa)
    rows, columns = integer(path, header, "Rows", 0), integer(path, header, "Columns", 0)
    if not count:
        raise InvalidImage(
            f"{path.name} is a Siemens mosaic, {rows} x {columns} pixels of many slices, and does "
            "not state how many.",
            "Its private elements were removed. Convert the original with dcm2niix, or export it "
            "again with them.",
        )
    side = math.isqrt(count - 1) + 1
    if rows % side or columns % side:
        raise InvalidImage(
            f"{path.name} is a mosaic of {count} slices; {rows} x {columns} pixels cannot be "
            f"divided into {side} x {side} tiles.",
            COPY_AGAIN,
        )
    size = rows // side, columns // side
    normal = _vector(csa, "SliceNormalVector")
    notes = () if normal is not None else (ASSUMED_NORMAL,)
    if any(_values(csa, "ProtocolSliceNumber")):
        notes = (*notes, REVERSED)
    return Mosaic(
        tuple((size[0] * (i // side), size[1] * (i % side)) for i in range(count)),
        size,
        (np.array([rows, columns]) - size) / 2,
        normal,
        notes,
    )


def _csa(private: Dataset) -> dict[str, Any]:
    """The elements of the CSA header of the image by name; empty if there is none."""
    from nibabel.nicom.csareader import get_csa_header

    header = get_csa_header(private)
    return {} if header is None else header["tags"]


def _values(csa: dict[str, Any], name: str) -> list[float]:
    return [float(value) for value in csa.get(name, {}).get("items", []) if value is not None]


def _vector(csa: dict[str, Any], name: str) -> FloatArray | None:
    """``(3,)`` a unit vector, or None if there is none."""
    vector = np.array(_values(csa, name)[:3])
    length = float(np.linalg.norm(vector))
    return vector / length if len(vector) == 3 and abs(length - 1) < 0.01 else None


def _count(private: Dataset, csa: dict[str, Any]) -> int:
    """The number of slices; 0 if it is not stated."""
    values = _values(csa, "NumberOfImagesInMosaic")
    if values and values[0] >= 1:
        return int(values[0])
    try:
        value = private.private_block(0x0019, SIEMENS_MR)[NUMBER_OF_IMAGES].value
        return max(0, int(value))
    except (KeyError, TypeError, ValueError):
        return 0
