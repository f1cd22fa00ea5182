"""Stored forms of regions, images and heatmaps in records."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticSerializationError

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box, InitialMask, Point
from napari_medvlm.data.region import Heatmap, Region, RegionKind, SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of, upright
from napari_medvlm.data.text import joined_surrogates
from napari_medvlm.data.volume import Volume, Window

Pair = tuple[int, int]


def _nan_of_null(value: Any) -> Any:
    return float("nan") if value is None else value


Number = Annotated[float, BeforeValidator(_nan_of_null)]
"""A float; files of version 0.2 and earlier have null for NaN and infinity."""
MOST_PIXELS = 2**26
"""Pixels of the largest stored picture that is decoded."""


class Value(BaseModel):
    """Base of all stored values; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def json_of(value: Value, indent: int | None = None) -> str:
    """The JSON of a value; lone surrogates of its texts are replaced by U+FFFD."""
    try:
        return value.model_dump_json(indent=indent)
    except PydanticSerializationError:
        encodable = type(value).model_validate(_encodable(value.model_dump()))
        return encodable.model_dump_json(indent=indent)


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return joined_surrogates(value)
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(_encodable, value))
    return value


def now() -> datetime:
    """The time of a record."""
    return datetime.now(UTC)


class RegionRecord(Value):
    """The stored form of a region, with the hash of its mask only; fields as of `Region`."""

    score: float | None
    kind: RegionKind
    name: str
    box: Box
    slice: Pair | None
    mask_digest: str | None

    @classmethod
    def of(cls, region: Region) -> RegionRecord:
        """The stored form of a region."""
        return cls(**_fields(region))


class StoredRegion(RegionRecord):
    """A region of a conversation.

    Attributes
    ----------
    mask
        The mask itself, of what a tool segmented: nothing else has it.
    """

    phrase: str
    points: tuple[Point, ...] = ()
    uncertainty: float | None = None
    mask: InitialMask | None = None

    @classmethod
    def whole(cls, region: Region, grid: Grid | None = None) -> StoredRegion:
        """The stored form of a region, with its mask if the mask's grid is passed."""
        mask = None if grid is None or region.mask is None else InitialMask.of(grid, region.mask)
        return cls(
            **_fields(region),
            phrase=region.phrase,
            points=region.points,
            uncertainty=region.uncertainty,
            mask=mask,
        )

    def region(self, grid: Grid) -> Region:
        """The region as far as it was stored."""
        return Region(
            self.phrase,
            self.box,
            self.score,
            self.name,
            mask=None if self.mask is None else self.mask.mask(grid),
            points=self.points,
            slice=None if self.slice is None else SliceRef(*self.slice),
            uncertainty=self.uncertainty,
        )


def _fields(region: Region) -> dict[str, Any]:
    where = region.slice
    return {
        "score": region.score,
        "kind": region.kind,
        "name": region.name,
        "box": region.box,
        "slice": None if where is None else (where.axis, where.index),
        "mask_digest": None if region.mask is None else region.mask.digest,
    }


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

    slices: tuple[Pair, ...]
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
            slices=tuple((p.slice.axis, p.slice.index) for p in shown or [picture]),
            crop=picture.part,
            windows=tuple((w.center, w.width) for w in picture.windows),
            caption=caption,
            other_image=of,
            digest=digest_of(picture.pixels),
        )
        own = not of and picture.grid is volume.grid
        if own and digest_of(stored._again(volume).pixels) == stored.digest:
            return stored
        return stored.model_copy(update={"png": _png(picture.pixels)})

    def slice_image(self, volume: Volume) -> SliceImage:
        """The image, rendered again unless its pixels are stored."""
        if not self.png:
            return self._again(volume)
        pixels = _pixels(self.png)
        where = SliceRef(*self.slices[0])
        rows, columns, flipped = upright(volume.grid, where.axis)
        return SliceImage(
            pixels, volume.grid, where, rows, columns, flipped, self.crop, self._windows()
        )

    def _again(self, volume: Volume) -> SliceImage:
        refs = [SliceRef(*pair) for pair in self.slices]
        rendered = [picture_of(volume, ref, self._windows() or None, self.crop) for ref in refs]
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
