"""Stored forms of regions, images and heatmaps in records."""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticSerializationError

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Box, InitialMask, Point
from napari_medvlm.data.region import Region, RegionKind, SliceRef
from napari_medvlm.data.text import joined_surrogates

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
    image_name
        As of `Region`; not written if it is empty, so that earlier programs read the record.
    """

    phrase: str
    points: tuple[Point, ...] = ()
    uncertainty: float | None = None
    mask: InitialMask | None = None
    image_name: str = Field(default="", exclude_if=operator.not_)

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
            image_name=region.image_name,
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
            image_name=self.image_name,
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
