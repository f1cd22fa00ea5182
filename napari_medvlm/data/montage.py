"""Several slices side by side in one picture, and the way back from it to each slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.slice_image import PixelBounds, SliceImage, resized

GAP = 2
"""Black pixels between slices."""
SLACK = 0.002
"""How far a box may reach beyond its slice, as a share of the montage: models write thousandths."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A slice in a montage, with its left and upper edge in pixels."""

    picture: SliceImage
    x: int
    y: int

    @property
    def bounds(self) -> PixelBounds:
        """Its edges in the montage."""
        height, width = self.picture.size
        return self.x, self.y, self.x + width, self.y + height


@dataclass(frozen=True, eq=False)
class Montage(SliceImage):
    """Slices in rows, read from left to right and from top to bottom.

    What a `SliceImage` says of its slice holds for the first one. Places in it belong to the slice
    that they lie on.

    Parameters
    ----------
    tiles
        The slices, at least one.
    """

    tiles: tuple[Tile, ...] = ()

    @classmethod
    def of(cls, pictures: Sequence[SliceImage]) -> Montage:
        """The montage of pictures of one volume, as square as can be."""
        height, width = (max(p.size[side] for p in pictures) for side in (0, 1))
        across = math.ceil(math.sqrt(len(pictures)))
        down = math.ceil(len(pictures) / across)
        size = down * (height + GAP) - GAP, across * (width + GAP) - GAP
        pixels = np.zeros((*size, 3), np.uint8)
        tiles = []
        for number, picture in enumerate(pictures):
            row, column = divmod(number, across)
            y, x = row * (height + GAP), column * (width + GAP)
            pixels[y : y + picture.size[0], x : x + picture.size[1]] = picture.pixels
            tiles.append(Tile(picture, x, y))
        first = pictures[0]
        return cls(
            pixels,
            first.grid,
            first.slice,
            first.rows,
            first.columns,
            first.flipped,
            first.part,
            first.windows,
            first.image_name,
            tuple(tiles),
        )

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Height and width of a pixel of its first slice in millimetres."""
        return self.tiles[0].picture.pixel_mm

    def box(self, bounds: PixelBounds) -> Box | None:
        """A box in one tile as a box on its slice; `None` if it spans tiles or lies outside."""
        slack = SLACK * max(self.size)
        touched = [tile for tile in self.tiles if _shared(tile.bounds, bounds) > slack]
        if not touched:  # smaller than the slack: the tile that its centre lies in
            touched = [tile for tile in self.tiles if _shared(tile.bounds, bounds) > 0][:1]
        if len(touched) != 1:
            return None
        (tile,) = touched
        x0, y0, x1, y1 = bounds
        return tile.picture.box((x0 - tile.x, y0 - tile.y, x1 - tile.x, y1 - tile.y))

    def point(self, x: float, y: float) -> Point:
        """A place in the montage, as a place in the patient; between tiles, of the nearest one."""

        def apart(tile: Tile) -> float:
            x0, y0, x1, y1 = tile.bounds
            return max(x0 - x, x - x1, 0.0) + max(y0 - y, y - y1, 0.0)

        tile = min(self.tiles, key=apart)
        return tile.picture.point(x - tile.x, y - tile.y)

    def pixel_of(self, spl_mm: FloatArray) -> FloatArray:
        """``x, y`` ``(..., 2)`` of places ``(..., 3)``, each on the tile of the nearest slice."""
        along = self.grid.to_index(spl_mm)[..., self.slice.axis]
        away = np.stack([np.abs(along - tile.picture.slice.index) for tile in self.tiles])
        nearest = np.argmin(away, axis=0)
        places = np.stack([t.picture.pixel_of(spl_mm) + np.array((t.x, t.y)) for t in self.tiles])
        placed: FloatArray = np.take_along_axis(places, nearest[None, ..., None], axis=0)[0]
        return placed

    def cut(self, mask: Mask) -> NDArray[np.bool_]:
        """``(height, width)`` bool: what of a mask on the volume's grid the tiles show."""
        shown = np.zeros(self.size, bool)
        for tile in self.tiles:
            x0, y0, x1, y1 = (int(edge) for edge in tile.bounds)
            shown[y0:y1, x0:x1] = tile.picture.cut(mask)
        return shown

    def heatmap(self, values: NDArray[np.floating]) -> Heatmap:
        """Values ``(height, width)`` over the whole montage, each on its slice."""
        parts = [tile.picture.heatmap(self._of_tile(values, tile)) for tile in self.tiles]
        starts = np.array([part.start for part in parts])
        stops = starts + np.array([part.crop.shape for part in parts])
        low, high = starts.min(axis=0), stops.max(axis=0)
        crop = np.zeros(high - low, np.float32)
        for part, start, stop in zip(parts, starts - low, stops - low, strict=True):
            z, y, x = (slice(a, b) for a, b in zip(start, stop, strict=True))
            crop[z, y, x] = part.crop
        first = int(low[0]), int(low[1]), int(low[2])
        return Heatmap(crop, first, self.grid.shape)

    def mask(self, inside: NDArray[np.bool_]) -> Mask:
        """What is true in ``(height, width)`` over the whole montage, as a mask on its slices."""
        heat = self.heatmap(inside.astype(np.float32))
        return Mask.of(heat.full() > 0.5)

    def _of_tile(self, values: NDArray[np.floating], tile: Tile) -> NDArray[np.float32]:
        resampled = resized(np.asarray(values, np.float32), self.size)
        x0, y0, x1, y1 = (int(edge) for edge in tile.bounds)
        return resampled[y0:y1, x0:x1]


def _shared(first: PixelBounds, second: PixelBounds) -> float:
    """The smaller side of what two boxes share, in pixels; 0 if nothing."""
    sides = (min(first[low + 2], second[low + 2]) - max(first[low], second[low]) for low in (0, 1))
    return max(min(sides), 0.0)
