"""TIFF files as arrays ``(z, y, x)`` or ``(z, y, x, 3)``, upright, read by tifffile or Pillow."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.pillow_pixels import pixels_of
from napari_medvlm.io.tiff_spacing import PixelSize, pixel_size

WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
"""Values of TIFF's PhotometricInterpretation; YCbCr is decoded to RGB where it is JPEG."""
JPEG = 7
"""Value of TIFF's Compression."""
NOTED_AXES = {"T": "frames in time", "C": "channels"}


@dataclass(frozen=True, eq=False)
class TiffImage:
    """The pixels of a TIFF file, the size of one, and what was left out or assumed."""

    data: NDArray[Any]
    size: PixelSize
    notes: tuple[str, ...]


def read_tiff(path: Path) -> TiffImage:
    """Read the greatest image of a file.

    Raises
    ------
    InvalidImage
        If it has more axes than a stack, does not fit into memory, or is compressed in a way that
        needs another package.
    """
    import tifffile

    with warnings.catch_warnings(), _complete(path):
        warnings.simplefilter("ignore")
        with tifffile.TiffFile(path) as file:
            sizes = [series.size for series in file.series]
            index = int(np.argmax(sizes))
            series = file.series[index]
            require_memory(path, 2.0 * float(series.size) * series.dtype.itemsize)
            data, upright = _pixels(path, series)
            size = pixel_size(file, index)
            turned = _orientation(series.keyframe)
            data = data if upright else _upright(data, turned)
            notes = (*_left_out(file, index), *_stacked(series))
            return TiffImage(data, size.transposed() if turned > 4 else size, notes)


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """Raise `InvalidImage` if tifffile leaves pages out for want of bytes, which it only logs."""
    log, records = logging.getLogger("tifffile"), _Records()
    log.addHandler(records)
    try:
        yield
    finally:
        log.removeHandler(records)
    if any("invalid page offset" in text for text in records.texts):
        raise InvalidImage(
            f"{path.name} is incomplete: it names pages beyond its end.",
            "Copy or download the file again, or choose another one.",
        )


class _Records(logging.Handler):
    """The messages of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _pixels(path: Path, series: Any) -> tuple[NDArray[Any], bool]:
    """``(z, y, x)`` or ``(z, y, x, samples)``, and whether it stands upright already."""
    page = series.keyframe
    photometric = int(page.photometric)
    others = photometric == YCBCR and int(page.compression) != JPEG
    if others or photometric not in (WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, YCBCR):
        return _by_pillow(path, series), True
    try:
        data = np.asarray(series.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        try:
            return _by_pillow(path, series), True
        except Exception as refused:  # Pillow raises anything where it does not know a file
            raise InvalidImage(
                f"{path.name} is compressed by {page.compression.name}, which needs the package "
                "imagecodecs.",
                "Install it with: pip install imagecodecs.",
            ) from refused
    data = _arranged(path, data, series.axes)
    if photometric == PALETTE and page.colormap is not None:
        return np.moveaxis(page.colormap[:, data] >> 8, 0, -1).astype(np.uint8), False
    if photometric == WHITE_IS_0:
        return _inverted(data, page.bitspersample), False
    return data, False


def _arranged(path: Path, data: NDArray[Any], axes: str) -> NDArray[Any]:
    """The array with its pages first and its samples last."""
    if "S" in axes:
        data = np.moveaxis(data, axes.index("S"), -1)
    n = 3 if "S" in axes else 2
    leading = [count for count in data.shape[:-n] if count > 1]
    if len(leading) > 1:
        raise InvalidImage(
            f"{path.name} has {data.ndim} axes, {data.shape} ({axes}).",
            "Save one channel and one time point as a picture or stack of its own.",
        )
    return data.reshape(-1, *data.shape[-n:])


def _inverted(data: NDArray[Any], bits: int) -> NDArray[Any]:
    """Intensities that grow towards white."""
    if data.dtype == bool:
        return ~data
    if data.dtype.kind == "u":
        return np.asarray(data.dtype.type(2**bits - 1) - data)
    return data


def _by_pillow(path: Path, series: Any) -> NDArray[Any]:
    from PIL import Image, ImageOps

    pages = []
    with Image.open(path) as image:
        for page in series.pages:
            image.seek(page.index)
            pages.append(pixels_of(ImageOps.exif_transpose(image)))
    return np.stack(pages)


def _orientation(page: Any) -> int:
    """TIFF's Orientation, 1 to 8."""
    tag = page.tags.get("Orientation")
    value = 1 if tag is None else int(tag.value)
    return value if 1 <= value <= 8 else 1


def _upright(data: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pages as they are to be seen: EXIF's eight ways to store a picture, undone."""
    if orientation > 4:
        data = np.swapaxes(data, 1, 2)
    if orientation in (3, 4, 7, 8):
        data = np.flip(data, 1)
    if orientation in (2, 3, 6, 7):
        data = np.flip(data, 2)
    return np.ascontiguousarray(data)


def _left_out(file: Any, index: int) -> tuple[str, ...]:
    """Which pages are not read."""
    others = [series for number, series in enumerate(file.series) if number != index]
    if not others:
        return ()
    count = sum(len(series.pages) for series in others)
    sizes = {" x ".join(map(str, series.shape)) for series in others}
    pages = "1 page" if count == 1 else f"{count} pages"
    return (f"{pages} of another size ({', '.join(sorted(sizes))}) left out.",)


def _stacked(series: Any) -> tuple[str, ...]:
    """What is shown as slices and is none."""
    counts = dict(zip(series.axes, series.shape, strict=True))
    return tuple(
        f"The {counts[axis]} {name} of the file are shown as slices."
        for axis, name in NOTED_AXES.items()
        if counts.get(axis, 1) > 1
    )
