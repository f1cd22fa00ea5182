"""Stored forms of regions, images and heatmaps in records."""

from __future__ import annotations

import operator
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ArgsKwargs, PydanticSerializationError

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Point
from napari_medvlm.data.region import Region, RegionKind, SliceRef
from napari_medvlm.data.text import joined_surrogates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Pair = tuple[int, int]


def _arguments(value: Any) -> Any:
    return ArgsKwargs(tuple(value)) if isinstance(value, list | tuple) else value


StoredSlice = Annotated[
    SliceRef,
    BeforeValidator(_arguments),
    PlainSerializer(lambda ref: (int(ref.axis), int(ref.index))),
]
"""A slice, in files as its axis and index."""


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


def restored(kind: type[T], stored: Value, **others: Any) -> T:
    """A dataclass from the fields of the same names of its stored form, and from others."""
    names = {field.name for field in fields(kind)} & type(stored).model_fields.keys()
    return kind(**{name: getattr(stored, name) for name in names} | others)


class RegionRecord(Value):
    """The stored form of a `Region`, with the hash of its mask only; validated from a region."""

    score: float | None
    kind: RegionKind
    name: str
    box: Box
    slice: StoredSlice | None
    mask_digest: str | None

    @model_validator(mode="before")
    @classmethod
    def _of_region(cls, value: Any, info: ValidationInfo) -> Any:
        """The fields of a region; its mask itself only if the context is the mask's grid."""
        if not isinstance(value, Region):
            return value
        stored = {name: getattr(value, name, None) for name in cls.model_fields}
        stored["mask_digest"] = None if value.mask is None else value.mask.digest
        if "mask" in stored:
            stored["mask"] = _whole(value.mask, info.context)
        return stored


def _whole(mask: Mask | None, grid: Grid | None) -> InitialMask | None:
    return None if mask is None or grid is None else InitialMask.of(grid, mask)


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

    def region(self, grid: Grid) -> Region:
        """The region as far as it was stored."""
        return restored(Region, self, mask=None if self.mask is None else self.mask.mask(grid))
