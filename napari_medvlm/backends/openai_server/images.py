"""Images as they are sent to a server: pixels, so that places in the answer lead back to them."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.data.slice_image import SliceImage

PATCH = 28
"""Pixels. Qwen2.5-VL's processor makes sides multiples of it and writes places in what it made."""
FEWEST, MOST = 1024 * PATCH**2, 1280 * PATCH**2
"""Pixels that this processor leaves as they are, with the settings that servers come with.

llama.cpp's server asks to be started with ``--image-min-tokens 1024`` for these models, and then
enlarges images of fewer patches.
"""
IN_PIXELS = frozenset({"qwen2.5", "medseq", "point-detect-count"})
"""Grammars of places in the pixels of what the processor made."""


def framed_for(picture: SliceImage, row: Row) -> Framed:
    """An image as it is sent to a kind of model.

    What a server's processor does to it is not known. So where places or sizes are in the pixels
    that it makes, it is sent at a size that the processor leaves alone.
    """
    if row.grammar in IN_PIXELS or row.pixel_size:
        return _in_patches(picture.pixels)
    return framed(picture.pixels, row.square, row.center_crop, row.full_range)


def png_url(pixels: NDArray[np.uint8]) -> str:
    """Pixels ``(rows, columns, 3)`` as the address of a PNG that holds itself, and only them."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)  # the wire is faster
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _in_patches(pixels: NDArray[np.uint8]) -> Framed:
    """Pixels resized so that both sides are multiples of `PATCH`, as little as need be."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = math.sqrt(max(FEWEST / (height * width), 1.0))
    scale = min(scale, math.sqrt(MOST / (height * width)))
    rounded = math.ceil if scale > 1 else math.floor if scale < 1 else round
    rows, columns = (max(rounded(n * scale / PATCH), 1) * PATCH for n in (height, width))
    resized = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BICUBIC)
    return Framed(np.asarray(resized), (columns / width, rows / height))
