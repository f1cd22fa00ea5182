"""Slice images and heatmaps as they are stored in a session file."""

from __future__ import annotations

import base64
import hashlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.slice_image import SliceImage, picture_of, upright
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.ledger.serialization import MOST_PIXELS, Number, Pair, StoredSlice, Value


class StoredSliceImage(Value):
    """An image that was sent: how to render it again or, if that does not suffice, its pixels.

    Attributes
    ----------
    slices
        Axis and index of each slice that it shows.
    crop
        The voxels along rows and columns that it shows.
    windows
        Centre and width of each.
    other_image
        The other image that it shows; empty: the session's.
    digest
        Of its pixels.
    png
        The picture itself as base64: drawn on, or of another image.
    """

    slices: tuple[StoredSlice, ...]
    crop: tuple[Pair, Pair] | None
    windows: tuple[tuple[Number, Number], ...]
    caption: str = ""
    other_image: str = ""
    digest: str
    png: str = ""

    @classmethod
    def of(
        cls, picture: SliceImage, volume: Volume, caption: str = "", of: str = ""
    ) -> StoredSliceImage:
        """The stored form of an image."""
        shown = [tile.picture for tile in picture.tiles] if isinstance(picture, Montage) else None
        stored = cls(
            slices=tuple(p.slice for p in shown or [picture]),
            crop=picture.part,
            windows=tuple((w.center, w.width) for w in picture.windows),
            caption=caption,
            other_image=of,
            digest=digest_of(picture.pixels),
        )
        own = not of and picture.grid is volume.grid
        if own and np.array_equal(stored._again(volume).pixels, picture.pixels):
            return stored  # nothing is drawn on it
        return stored.model_copy(update={"png": _png(picture.pixels)})

    def slice_image(self, volume: Volume) -> SliceImage:
        """The image, rendered again unless its pixels are stored."""
        if not self.png:
            return self._again(volume)
        pixels = _pixels(self.png)
        where = self.slices[0]
        rows, columns, flipped = upright(volume.grid, where.axis)
        return SliceImage(
            pixels, volume.grid, where, rows, columns, flipped, self.crop, self._windows()
        )

    def _again(self, volume: Volume) -> SliceImage:
        windows = self._windows() or None
        rendered = [picture_of(volume, ref, windows, self.crop) for ref in self.slices]
        return rendered[0] if len(rendered) == 1 else Montage.of(rendered)

    def _windows(self) -> tuple[Window, ...]:
        return tuple(Window(*pair) for pair in self.windows)


class StoredHeatmap(Value):
    """An evidence map, in steps of 1/255.

    Attributes
    ----------
    start, shape
        Index ``(z, y, x)`` of the first voxel of the part that was looked at, and its shape.
    png
        The part as one picture in base64, its slices below each other.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    png: str

    @classmethod
    def of(cls, heatmap: Heatmap) -> StoredHeatmap:
        """The stored form of a heatmap."""
        z, y, x = heatmap.crop.shape
        steps = np.rint(255 * heatmap.crop).astype(np.uint8).reshape(z * y, x)
        return cls(start=heatmap.start, shape=(z, y, x), png=_png(steps))

    def heatmap(self, grid: Grid) -> Heatmap:
        """The heatmap on the grid of the volume; `SessionFileError` if it does not fit it."""
        pixels = _pixels(self.png)[..., 0]
        z, y, x = self.shape
        ends = zip(self.start, self.shape, grid.shape, strict=True)
        if pixels.shape != (z * y, x) or any(s < 0 or s + n > size for s, n, size in ends):
            raise _undecodable("evidence map")
        return Heatmap(
            (pixels.reshape(self.shape) / 255).astype(np.float32), self.start, grid.shape
        )


def digest_of(pixels: NDArray[np.uint8]) -> str:
    """Hexadecimal BLAKE2 hash of the pixels of a picture."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _pixels(png: str) -> NDArray[np.uint8]:
    """The RGB pixels of a PNG in base64; `SessionFileError` if it cannot be decoded."""
    from PIL import Image

    try:
        with Image.open(BytesIO(base64.b64decode(png)), formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _undecodable("picture")
            return np.asarray(image.convert("RGB"))
    except SessionFileError:
        raise
    except Exception as error:  # damaged pictures make Pillow raise anything
        raise _undecodable("picture") from error


def _undecodable(what: str) -> SessionFileError:
    return SessionFileError(
        f"A stored {what} of the session cannot be decoded.",
        "The file was edited or damaged; open an earlier copy.",
    )
