"""Parsed boxes, points and masks of a text, and its problems."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Flaw(StrEnum):
    """Kinds of problems with a span of text."""

    ODD_COUNT = "not the right count of numbers"
    MIXED_DEPTH = "lists nested to mixed or too great depth"
    REVERSED = "x2 < x1 or y2 < y1"
    EMPTY = "no width or no height"
    OUT_OF_SCALE = "a number past the scale"
    RUNAWAY = "endless repetition"
    REPEATED = "the same place again"
    UNASKED = "a label that the question never named"
    PROSE = "prose instead of a place"
    BROKEN = "broken or cut-off syntax"


@dataclass(frozen=True, slots=True)
class PixelBox:
    """A box in pixels of the image that the model saw.

    Attributes
    ----------
    label
        What the model calls it; empty where the grammar has no labels.
    x0, y0, x1, y1
        Edges, half-open: ``x0 <= x < x1``. The origin is the outer corner of the upper left pixel,
        x goes right and y down, so a box around the whole image is ``0, 0, width, height``.
    """

    label: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class PixelPoint:
    """A point in pixels of the image that the model saw; the frame is that of `PixelBox`."""

    label: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class VoxelBox:
    """A box in voxels of the volume that the model saw, in the order x, y, z.

    Attributes
    ----------
    start_xyz, stop_xyz
        The two corners as written, half-open: ``start <= xyz < stop``.
    """

    label: str
    start_xyz: tuple[float, float, float]
    stop_xyz: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class MaskTokens:
    """A mask that a decoder of the model's own has still to draw.

    Attributes
    ----------
    codes
        PaliGemma's sixteen codewords, each 0 to 127. Empty for ``[SEG]``, where the mask comes from
        the token's hidden state: the n-th such entry belongs to the n-th ``[SEG]`` of the text.
    box
        The box that the codewords fill; it is not listed among `Parsed.boxes` as well.
    """

    label: str
    codes: tuple[int, ...]
    box: PixelBox | None


@dataclass(frozen=True, slots=True)
class ParseIssue:
    """A piece of the text that was refused, and why.

    Attributes
    ----------
    text
        The piece, cut to 200 characters.
    message
        One sentence for people, with the numbers.
    """

    flaw: Flaw
    text: str
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything parsed from a text, and its problems.

    Attributes
    ----------
    raw
        The text as the model wrote it, whole.
    count
        How many there are, where the model says so; the sum where it says so of several labels.
    """

    raw: str
    boxes: tuple[PixelBox, ...]
    points: tuple[PixelPoint, ...]
    masks: tuple[MaskTokens, ...]
    count: int | None
    findings: tuple[ParseIssue, ...]
    voxel_boxes: tuple[VoxelBox, ...] = ()
