"""PNG, JPEG and TIFF pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import finite, require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.io.pillow_pixels import pixels_of
from napari_medvlm.io.read_errors import unsupported
from napari_medvlm.io.tiff_images import TiffImage, read_tiff
from napari_medvlm.io.tiff_spacing import PixelSize

PICTURES = (".png", ".jpg", ".jpeg")
TIFFS = (".tif", ".tiff")
NOT_READ = {
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    **{f"P{n}{end}".encode(): "Netpbm" for n in range(1, 7) for end in "\n\r "},
}
"""First bytes of kinds of pictures that are not read, and their names."""
EIGHT_BITS = "Colours were converted to 8 bits per channel."


def read_picture(path: Path) -> Volume:
    """Read a picture as a volume of one slice, or a TIFF of several pages as a stack.

    Colours stay colours. Where the size of a pixel is not in the file it is taken as 1 mm.

    Raises
    ------
    InvalidImage
        If the file cannot be read or is damaged.
    """
    try:
        image = read_tiff(path) if path.suffix.lower() in TIFFS else _read_pillow(path)
    except InvalidImage:
        raise
    except Exception as error:  # damaged bytes make the decoders raise anything
        raise InvalidImage(
            f"{path.name} cannot be read as a picture; it may be damaged or incomplete ({error}).",
            "Copy or download the file again, or choose another one.",
        ) from error
    data, notes = _eight_bit_colors(path, image.data)
    mended, more = finite(data)
    spacing, assumed = image.size.spacing(len(data))
    return Volume(
        mended,
        np.diag([*spacing, 1.0]),
        Modality.PHOTO,
        path.stem,
        source=path,
        notes=(*assumed, *image.notes, *notes, *more),
    )


def require_readable(path: Path) -> None:
    """Raise `InvalidImage` of a file without a known ending that is a picture of another kind."""
    with path.open("rb") as file:
        head = file.read(12)
    names = [name for start, name in NOT_READ.items() if head.startswith(start)]
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        names = ["WebP"]
    if names:
        raise unsupported(path, f"it is a {names[0]} picture", "Save it as PNG or TIFF.")


def _read_pillow(path: Path) -> TiffImage:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        require_memory(path, float(image.width) * image.height * 8)
        frames, cut = getattr(image, "n_frames", 1), _cut_to_8_bits(image)
        data = pixels_of(ImageOps.exif_transpose(image))[None]
    notes = () if frames == 1 else (f"Only the first of {frames} frames was read.",)
    return TiffImage(data, PixelSize(), (*notes, *((EIGHT_BITS,) if cut else ())))


def _cut_to_8_bits(image: Any) -> bool:
    """Whether Pillow leaves out the lower bits of colours: it has no mode for 16 of them."""
    decoders = [str(tile[3]) for tile in image.tile if len(tile) > 3]
    return image.mode in ("RGB", "RGBA", "LA") and any(";16" in name for name in decoders)


def _eight_bit_colors(path: Path, data: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """``(z, y, x)``, or ``(z, y, x, 3)`` uint8, and that colours were converted."""
    if data.ndim == 3:
        return np.ascontiguousarray(data), ()
    samples = data.shape[-1]
    if samples < 3:  # grey with transparency
        return np.ascontiguousarray(data[..., 0]), ()
    if samples > 4:
        raise InvalidImage(
            f"{path.name} has {samples} channels a pixel.",
            "Save one channel, or red, green and blue, as a picture of its own.",
        )
    data = data[..., :3]
    if data.dtype == np.uint8:
        return np.ascontiguousarray(data), ()
    high = max(float(data.max()), 1.0)
    scaled = (data.astype(np.float32) * (255 / high)).astype(np.uint8)
    return scaled, (f"{EIGHT_BITS[:-1]}, with the highest value, {high:g}, as 255.",)
