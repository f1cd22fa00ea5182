"""PNG, JPEG and TIFF pictures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import finite, require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import TAKEN, Modality, Volume

PICTURES = (".png", ".jpg", ".jpeg")
TIFFS = (".tif", ".tiff")


def read_picture(path: Path) -> Volume:
    """Read a picture as a volume of one slice, or a TIFF of several pages as a stack.

    Colours stay colours. The size of a pixel is not known and is taken as 1 mm.

    Raises
    ------
    InvalidImage
        If the file cannot be read or is damaged.
    """
    try:
        data = _read_tiff(path) if path.suffix.lower() in TIFFS else _read_pillow(path)
    except InvalidImage:
        raise
    except Exception as error:  # damaged bytes make the decoders raise anything
        raise InvalidImage(
            f"{path.name} cannot be read as a picture; it may be damaged or incomplete ({error}).",
            "Copy or download the file again, or choose another one.",
        ) from error
    data, notes = _stack(path, data)
    mended, more = finite(data)
    size = f"The size of a pixel is unknown; {TAKEN}"
    return Volume(
        mended, np.eye(4), Modality.PHOTO, path.stem, source=path, notes=(size, *notes, *more)
    )


def _read_pillow(path: Path) -> NDArray[Any]:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        require_memory(path, float(image.width) * image.height * 4)
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("P", "RGBA", "CMYK", "YCbCr", "LA", "PA"):
            upright = upright.convert("L" if upright.mode == "LA" else "RGB")
        return np.asarray(upright)


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            require_memory(path, float(np.prod(series.shape, dtype=float)) * series.dtype.itemsize)
            return np.asarray(series.asarray())


def _stack(path: Path, data: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The picture as ``(z, y, x)`` or ``(z, y, x, 3)``."""
    colored = data.ndim >= 3 and data.shape[-1] in (3, 4)
    if colored:
        data = data[..., :3]
    while data.ndim < (4 if colored else 3):
        data = data[None]
    if data.ndim > (4 if colored else 3):
        raise InvalidImage(
            f"{path.name} has {data.ndim} axes, {data.shape}.",
            "Save one channel and one time point as a picture or stack of its own.",
        )
    if colored and data.dtype != np.uint8:
        high = max(float(data.max()), 1.0)
        scaled = (data.astype(np.float32) * (255 / high)).astype(np.uint8)
        return scaled, ("Colours were converted to 8 bits per channel.",)
    return np.ascontiguousarray(data), ()
