"""Images fitted into a square before a model sees them, and the exact way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.slice_image import PixelBounds


@dataclass(frozen=True, eq=False)
class Framed:
    """An image as it is shown to a model.

    Parameters
    ----------
    pixels
        ``(rows, columns, 3)`` uint8: what the model's processor is given.
    scale
        Pixels here for each pixel of the image, along ``x`` and ``y``.
    start
        Where the image begins, ``x, y``.
    seen
        Height and width that the processor makes of it, if the model writes in pixels of that.
    """

    pixels: NDArray[np.uint8]
    scale: tuple[float, float] = (1.0, 1.0)
    start: tuple[int, int] = (0, 0)
    seen: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels that places are in: those seen, else those given."""
        return self.seen or (self.pixels.shape[0], self.pixels.shape[1])

    def back(self, x: float, y: float) -> tuple[float, float]:
        """A place in pixels of `size`, in the image's own; it may lie outside the image."""
        height, width = self.size
        x, y = x * self.pixels.shape[1] / width, y * self.pixels.shape[0] / height
        return (x - self.start[0]) / self.scale[0], (y - self.start[1]) / self.scale[1]

    def box_back(self, bounds: PixelBounds) -> PixelBounds:
        """A box in pixels of `size`, in the image's own."""
        return *self.back(*bounds[:2]), *self.back(*bounds[2:])

    def box_ahead(self, bounds: PixelBounds) -> PixelBounds:
        """A box in the image's own pixels, in pixels of `size`: the reverse of `box_back`."""
        height, width = self.size
        sides = (self.pixels.shape[1], self.pixels.shape[0]) * 2
        x0, y0, x1, y1 = (
            (edge * scale + start) * seen / side
            for edge, scale, start, seen, side in zip(
                bounds, self.scale * 2, self.start * 2, (width, height) * 2, sides, strict=True
            )
        )
        return x0, y0, x1, y1


def center_square(pixels: NDArray[np.uint8]) -> Framed:
    """The middle square of an image ``(rows, columns, 3)``, its side the shorter of the two.

    As CLIP's processor cuts it, and MAIRA-2's ``adjust_box_for_original_image_size`` puts boxes
    back: half of the rest lies before the square.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Framed(pixels[top : top + side, left : left + side].copy(), start=(-left, -top))


def full_range(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image ``(rows, columns, 3)`` in grey, its values stretched to 0 to 255.

    As ``Maira2Processor._normalize_image`` does; an image of one value becomes black.
    """
    from PIL import Image

    grey = np.asarray(Image.fromarray(pixels).convert("L"), float)
    grey -= grey.min()
    stretched = (grey / max(grey.max(), 1.0) * 255).astype(np.uint8)
    return np.repeat(stretched[..., None], 3, axis=-1)


def framed(
    pixels: NDArray[np.uint8], square: int, crop: bool = False, stretch: bool = False
) -> Framed:
    """An image ``(rows, columns, 3)`` resized so that it just fits a black square, and centred.

    Parameters
    ----------
    square
        The side in pixels; 0: the image is left as it is.
    crop
        Whether the model's processor cuts out the middle square, which is then done here.
    stretch
        Whether it stretches the values of the whole image first, see `full_range`.
    """
    from PIL import Image

    if stretch:
        pixels = full_range(pixels)
    if not square:
        return center_square(pixels) if crop else Framed(pixels.copy())
    height, width = pixels.shape[:2]
    rows, columns = (max(round(side * square / max(height, width)), 1) for side in (height, width))
    fitted = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BILINEAR)
    top, left = (square - rows) // 2, (square - columns) // 2
    full = np.zeros((square, square, 3), np.uint8)
    full[top : top + rows, left : left + columns] = np.asarray(fitted)
    return Framed(full, (columns / width, rows / height), (left, top))
