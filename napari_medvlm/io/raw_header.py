"""What nibabel does not report of a header: where voxels begin, and what it fills in."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.io.read_errors import unsupported

GZIP_MAGIC = b"\x1f\x8b"
GZIP_RATIO = 1032
"""The most that deflate compresses."""
REPAIR = "Set vox_offset in the header, or write the file again with the program it is from."


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def raw_header(path: Path) -> Any | None:
    """Nibabel's NIfTI-1 or NIfTI-2 header as it stands in a file; `None` of other files."""
    import nibabel

    kinds = (nibabel.Nifti1Header, nibabel.Nifti2Header)
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            block = file.read(nibabel.Nifti2Header.sizeof_hdr)
    except (OSError, EOFError, zlib.error):  # damaged, which is reported when it is read
        return None
    kind = next((kind for kind in kinds if kind.may_contain_header(block)), None)
    return None if kind is None else kind(block[: kind.sizeof_hdr], check=False)


def has_orientation(path: Path) -> bool:
    """Whether an MGH file states voxel size and orientation; nibabel replaces them if it does not.

    https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat
    """
    with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
        good_ras_flag = file.read(30)[28:]
    return good_ras_flag == b"\x00\x01"


def require_offset(path: Path) -> None:
    """Refuse a single file whose voxels begin elsewhere than its header says.

    Libraries read an offset inside the header as it stands, or replace it by the least one: the
    voxels are then shifted. The size of the file decides.

    Raises
    ------
    InvalidImage
        If the header gives an offset that the size of the file contradicts.
    """
    header = raw_header(path)
    if header is None or header["magic"].item() != header.single_magic:
        return
    largest = path.stat().st_size * (GZIP_RATIO if is_gzip(path) else 1)
    if not abs(float(header["vox_offset"])) <= largest:  # not a number neither
        raise unsupported(
            path,
            f"its header says that the voxels begin at byte {float(header['vox_offset']):g}, "
            "behind the end of the file",
            REPAIR,
        )
    offset = int(header["vox_offset"])
    if offset >= header.single_vox_offset:
        return
    count = int(header["dim"][0])
    voxels = np.prod(header["dim"][1 : count + 1], dtype=float)
    begin = (_uncompressed_size(path) - voxels * int(header["bitpix"]) / 8) % 2**32
    if begin != offset:
        raise unsupported(
            path,
            f"its header says that the voxels begin at byte {offset}, its size that they begin at "
            f"{begin:.0f}",
            REPAIR,
        )


def _uncompressed_size(path: Path) -> int:
    if not is_gzip(path):
        return path.stat().st_size
    with path.open("rb") as file:
        file.seek(-4, 2)  # the size modulo 2**32, see RFC 1952
        return int(struct.unpack("<I", file.read(4))[0])
