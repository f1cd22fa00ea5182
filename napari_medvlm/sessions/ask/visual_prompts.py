"""Objects, boxes and points shown to a model: outlined in the picture, or written in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.answer import NamedPlaces
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import PixelBounds, SliceImage

COLORS: Mapping[str, tuple[int, int, int]] = {
    "red": (255, 60, 60),
    "green": (60, 220, 60),
    "blue": (90, 140, 255),
    "yellow": (255, 225, 50),
    "magenta": (255, 90, 230),
    "cyan": (60, 225, 225),
    "orange": (255, 150, 40),
    "white": (255, 255, 255),
}
"""Of outlines, by the name that the text calls them."""


NAMED = 128
"""Pixels a side from which on names fit into a picture; the text names the colours in any case."""


class VisualPrompting(StrEnum):
    """How a model is shown objects, boxes and points."""

    DRAWN = "drawn on the picture"
    CROP = "as a picture of its own"
    WRITTEN = "as coordinates in the text"


def name_of(region: Region) -> str:
    """What a region is called in pictures and text."""
    return region.name or region.phrase


def color_of(number: int) -> str:
    """The name of the colour of the region with that number, from 0."""
    return list(COLORS)[number % len(COLORS)]


def drawn(slice_image: SliceImage, regions: Sequence[Region]) -> SliceImage:
    """A picture with the outlines and names of regions, each in its colour; on a copy."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(slice_image.pixels.copy())
    draw = ImageDraw.Draw(image)
    for number, region in enumerate(regions):
        color = COLORS[color_of(number)]
        at = _outline(image, region, slice_image, color)
        if at is None:
            image = _filled(image, region, slice_image, color)
            draw = ImageDraw.Draw(image)
            at = bounds_in(slice_image, region)
        if at is not None and min(slice_image.size) >= NAMED:
            draw.text((at[0] + 2, max(at[1] - 12, 0)), name_of(region), fill=color)
    return replace(slice_image, pixels=np.asarray(image))


def bounds_in(slice_image: SliceImage, region: Region) -> PixelBounds | None:
    """The box of a region in the pixels of a picture; `None` if its slice does not cross it."""
    ref = slice_image.slice
    if region.points and region.mask is None:
        positions = np.array([p.position_mm for p in region.points])
        on = np.abs(slice_image.grid.to_index(positions)[:, ref.axis] - ref.index) <= 0.5
        if not on.any():
            return None
        xy = slice_image.pixel_of(positions[on])
        return _cut(np.array([xy.min(axis=0) - 0.5, xy.max(axis=0) + 0.5]), slice_image)
    if region.mask is not None and region.mask.shape == slice_image.grid.shape:
        return _around(slice_image.cut(region.mask))
    start, stop = region.box.bounds(slice_image.grid)
    if not start[ref.axis] <= ref.index < stop[ref.axis]:
        return None
    xy = slice_image.pixel_of(region.box.corners())
    return _cut(np.array([xy.min(axis=0), xy.max(axis=0)]), slice_image)


def places_in(slice_image: SliceImage, region: Region) -> tuple[PixelBounds, ...]:
    """The boxes of a region in a picture; several where a montage shows several of its slices."""
    if not isinstance(slice_image, Montage):
        bounds = bounds_in(slice_image, region)
        return () if bounds is None else (bounds,)
    return tuple(
        (x0 + tile.x, y0 + tile.y, x1 + tile.x, y1 + tile.y)
        for tile in slice_image.tiles
        for x0, y0, x1, y1 in places_in(tile.picture, region)
    )


def pointed(
    text: str,
    regions: Sequence[Region],
    pointing: VisualPrompting = VisualPrompting.DRAWN,
) -> str:
    """A question with a sentence that names the colours of the regions drawn into its pictures."""
    if not regions or pointing is not VisualPrompting.DRAWN:
        return text
    outlines = ", ".join(f"{name_of(r)} in {color_of(i)}" for i, r in enumerate(regions))
    return f"{text}\n\nOutlined in the pictures: {outlines}."


def named_places(
    pictures: Sequence[SliceImage], regions: Sequence[Region]
) -> tuple[NamedPlaces, ...]:
    """The boxes of regions in pictures, for a model that is given coordinates."""
    return tuple(
        NamedPlaces(
            name_of(region),
            tuple(
                (number, bounds)
                for number, picture in enumerate(pictures)
                for bounds in places_in(picture, region)
            ),
        )
        for region in regions
    )


def _outline(
    image: Any, region: Region, slice_image: SliceImage, color: tuple[int, int, int]
) -> PixelBounds | None:
    """Draw a box or points; where the name goes, or `None` if there is nothing of the kind."""
    from PIL import ImageDraw

    if region.mask is not None and region.mask.shape == slice_image.grid.shape:
        return None
    bounds = bounds_in(slice_image, region)
    if bounds is None:
        return None
    draw, width = ImageDraw.Draw(image), _width(slice_image)
    if region.points:
        for point in region.points:
            x, y = slice_image.pixel_of(np.array(point.position_mm)).tolist()
            reach = 2 * width + 1
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=color, width=width)
    else:
        x0, y0, x1, y1 = bounds
        draw.rectangle((x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), outline=color, width=width)
    return bounds


def _filled(
    image: Any, region: Region, slice_image: SliceImage, color: tuple[int, int, int]
) -> Any:
    """The image with the outline of a mask."""
    from PIL import Image

    if region.mask is None or region.mask.shape != slice_image.grid.shape:
        return image
    pixels = np.asarray(image).copy()
    pixels[edge(slice_image.cut(region.mask), _width(slice_image))] = color
    return Image.fromarray(pixels)


def edge(inside: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """What of a shape lies at most so many pixels from what is outside it."""
    core = inside
    for _ in range(width):
        padded = np.pad(core, 1)
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~core


def _width(slice_image: SliceImage) -> int:
    return max(1, round(min(slice_image.size) / 200))


def _around(inside: NDArray[np.bool_]) -> PixelBounds | None:
    if not inside.any():
        return None
    rows, columns = (np.flatnonzero(inside.any(axis=a)) for a in (1, 0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _cut(corners: NDArray[np.float64], slice_image: SliceImage) -> PixelBounds | None:
    """The box between two corners ``x, y``, cut to the picture; `None` if nothing is left."""
    height, width = slice_image.size
    (x0, y0), (x1, y1) = np.clip(corners, 0, (width, height)).tolist()
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
