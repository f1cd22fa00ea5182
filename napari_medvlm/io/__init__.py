"""Files in and out: one format a file."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.array_checks import finite
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.header import has_magic
from napari_medvlm.io.dicom.read import Gaps, read_dicom
from napari_medvlm.io.dicom_objects.seg_write import Segment
from napari_medvlm.io.medical_images import MEDICAL, read_image
from napari_medvlm.io.raster_images import PICTURES, TIFFS, read_picture, require_readable
from napari_medvlm.io.writers import write_mask, write_segments, write_separately

__all__ = [
    "Gaps",
    "Segment",
    "finite",
    "read_volume",
    "write_mask",
    "write_segments",
    "write_separately",
]


def read_volume(
    path: str | Path,
    *,
    series: str | None = None,
    frame: int | None = None,
    gaps: Gaps = Gaps.REFUSE,
) -> Volume:
    """Read an image: NIfTI, NRRD, MetaImage, a DICOM file or folder, PNG, JPEG or TIFF.

    The array stands in the file's order ``(z, y, x)``; the affine has its position.

    Parameters
    ----------
    series
        Which series of a DICOM folder: its UID, its number or a part of its description.
    frame
        Which volume of a file or series with several, from 0.
    gaps
        What to do where DICOM slices are missing.

    Raises
    ------
    InvalidImage
        If it cannot be read, is damaged, needs a choice, or does not fit into memory.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise InvalidImage(
            f"There is no {path.name} in {path.parent.resolve()}.", "Check the path."
        )
    try:
        return _read(path, series, frame, gaps)
    except MemoryError as error:  # of a limit that the free memory does not show
        raise InvalidImage(
            f"{path.name} needs more memory than this program can have.",
            "Close other programs, or crop or downsample the image first.",
        ) from error


def _read(path: Path, series: str | None, frame: int | None, gaps: Gaps) -> Volume:
    name = path.name.lower()
    if path.is_dir():
        return read_dicom(path, series, frame, gaps)
    if path.stat().st_size == 0:
        raise InvalidImage(f"{path.name} is empty.", "Copy or download the file again.")
    if has_magic(path):
        return read_dicom(path, series, frame, gaps)
    if name.endswith(MEDICAL):
        return read_image(path, frame)
    if name.endswith((*PICTURES, *TIFFS)):
        return read_picture(path)
    require_readable(path)
    return read_dicom(path, series, frame, gaps)
