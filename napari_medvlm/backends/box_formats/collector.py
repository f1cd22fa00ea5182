"""Collect the boxes, points and masks of one text in pixels, and its problems."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from napari_medvlm.backends.box_formats.grammars import Grammar
from napari_medvlm.backends.box_formats.parsed import (
    Flaw,
    MaskTokens,
    Parsed,
    ParseIssue,
    PixelBox,
    PixelPoint,
    VoxelBox,
)

MAX_PIECES = 300
"""More places than this in one text are taken for a model that runs away."""
MAX_NUMBERS = 32
"""More numbers than this in one flat list likewise."""
MAX_CUTTING = 200
"""Findings quote at most so many characters."""

T = TypeVar("T")
Shape = PixelBox | PixelPoint | VoxelBox | MaskTokens
Numbers = Sequence[float]

_NUMBER = re.compile(r"-?\d++(?:\.\d++)?")
_ONLY_NUMBERS = re.compile(r"[-\d\s.,;()\[\]]*+\Z")


class BoxCollector:
    """One text on its way to `Parsed`: readers add what they see, it discards what is invalid.

    Parameters
    ----------
    size
        ``(height, width)`` of the image that the model saw.
    asked
        The labels of the question; empty means that any label may come.
    """

    def __init__(self, grammar: Grammar, size: tuple[int, int], asked: Iterable[str]) -> None:
        self.grammar = grammar
        self.recognised = False
        """Whether anything in the text was meant as a place, or as *there is none*."""
        self.stopped = False
        """Whether the rest of the text was left unread."""
        self._height, self._width = size
        self._asked = {_plain(label) for label in asked}
        self._boxes: list[PixelBox] = []
        self._points: list[PixelPoint] = []
        self._masks: list[MaskTokens] = []
        self._voxel_boxes: list[VoxelBox] = []
        self._count: int | None = None
        self._findings: list[ParseIssue] = []
        self._seen: dict[Shape, int] = {}
        self._repeated: dict[Shape, str] = {}
        self._pieces = 0

    def note(self, flaw: Flaw, text: str, message: str) -> None:
        """Refuse a piece of the text."""
        self.recognised = True
        self._findings.append(ParseIssue(flaw, text.strip()[:MAX_CUTTING], message))

    def limited(self, pieces: Iterable[T], counted: int = 0) -> Iterator[T]:
        """The pieces, until there were `MAX_PIECES` in this text: then it is left unread.

        The first `counted` of them were counted before, as the piece that holds them all.
        """
        for index, piece in enumerate(pieces):
            if index >= counted:
                if self._pieces == MAX_PIECES:
                    self.stop(_shown(piece))
                    return
                self._pieces += 1
            yield piece

    def stop(self, piece: str) -> None:
        """Report once that the text was not parsed from this span on."""
        if not self.stopped:
            self.stopped = True
            message = f"There are more than {MAX_PIECES} boxes; the rest was ignored."
            self.note(Flaw.RUNAWAY, piece, message)

    def add_box(self, label: str, numbers: Numbers, piece: str) -> None:
        """Add the box of four numbers in the grammar's order, if it is valid."""
        box = self.box(label, numbers, piece)
        if box and self._is_new(box, piece):
            self._boxes.append(box)

    def add_point(self, label: str, numbers: Numbers, piece: str) -> None:
        """Add the point of two numbers, x and y in the grammar's scale."""
        if not self._counts(numbers, 2, piece):
            return
        x, y = reversed(numbers) if self.grammar.order == "yxyx" else numbers
        if self._in_scale((x, y), piece) and self._was_asked(label, piece):
            point = PixelPoint(label, self._pixels(x, self._width), self._pixels(y, self._height))
            if self._is_new(point, piece):
                self._points.append(point)

    def add_mask(self, label: str, codes: tuple[int, ...], box: PixelBox | None, text: str) -> None:
        """Add a mask that is decoded later."""
        if not self._was_asked(label, text):
            return
        mask = MaskTokens(label, codes, box)
        if not codes or self._is_new(mask, text):
            self._masks.append(mask)

    def add_voxel_box(self, label: str, numbers: Numbers, piece: str) -> None:
        """Add the box between two corners ``x, y, z``."""
        self.recognised = True
        start, stop = tuple(numbers[:3]), tuple(numbers[3:])
        if min(numbers) < 0:
            self.note(Flaw.OUT_OF_SCALE, piece, f"{min(numbers):g} is below the first voxel index.")
        elif self._is_ordered(start, stop, piece):
            box = VoxelBox(label, (start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
            if self._is_new(box, piece):
                self._voxel_boxes.append(box)

    def add_count(self, count: int) -> None:
        """Add a count that the model states; several counts are summed."""
        self.recognised = True
        self._count = count + (self._count or 0)

    def box(self, label: str, numbers: Numbers, piece: str) -> PixelBox | None:
        """The box that four numbers of the grammar mean, or a finding and None."""
        if not self._counts(numbers, 4, piece) or not self._was_asked(label, piece):
            return None
        a, b, c, d = numbers
        if self.grammar.order == "cxcywh":
            return self._centred(label, numbers, piece)
        x0, y0, x1, y1 = (b, a, d, c) if self.grammar.order == "yxyx" else (a, b, c, d)
        if not self._in_scale((x0, y0, x1, y1), piece):
            return None
        if not self._is_ordered((x0, y0), (x1, y1), piece):
            return None
        top, bottom = self._pixels(y0, self._height), self._pixels(y1, self._height)
        if self.grammar.origin == "lower":
            top, bottom = self._height - bottom, self._height - top
        left, right = self._pixels(x0, self._width), self._pixels(x1, self._width)
        return PixelBox(label, left, top, right, bottom)

    def refuse_numbers(self, piece: str, wanted: int = 4) -> None:
        """Refuse a piece in which `wanted` numbers should stand in the grammar's own syntax."""
        numbers = _NUMBER.findall(piece)
        if _ONLY_NUMBERS.match(piece) and len(numbers) != wanted:
            self._counts([0.0] * len(numbers), wanted, piece)
        else:
            self.note(Flaw.BROKEN, piece, f"Not {wanted} numbers as in {self.grammar.example!r}.")

    def parsed(self, raw: str) -> Parsed:
        """All boxes, points, masks and problems."""
        for shape, piece in self._repeated.items():
            message = f"The same box occurs {self._seen[shape]} times; it is used once."
            self.note(Flaw.REPEATED, piece, message)
        if not self.recognised:
            message = f"The text has no box in the form {self.grammar.example!r}."
            self.note(Flaw.PROSE, raw, message)
        return Parsed(
            raw=raw,
            boxes=tuple(self._boxes),
            points=tuple(self._points),
            masks=tuple(self._masks),
            count=self._count,
            findings=tuple(self._findings),
            voxel_boxes=tuple(self._voxel_boxes),
        )

    def _centred(self, label: str, numbers: Numbers, piece: str) -> PixelBox | None:
        cx, cy, width, height = numbers
        if width < 0 or height < 0:
            self.note(Flaw.REVERSED, piece, f"The size {width:g} x {height:g} is negative.")
            return None
        if not self._in_scale(numbers, piece):
            return None
        # A box head places centre and size apart, so an edge may pass the image: it is cut there.
        highest = self.grammar.scale or 1.0
        x0, x1 = max(cx - width / 2, 0.0), min(cx + width / 2, highest)
        y0, y1 = max(cy - height / 2, 0.0), min(cy + height / 2, highest)
        if not self._is_ordered((x0, y0), (x1, y1), piece):
            return None
        left, right = self._pixels(x0, self._width), self._pixels(x1, self._width)
        top, bottom = self._pixels(y0, self._height), self._pixels(y1, self._height)
        return PixelBox(label, left, top, right, bottom)

    def _pixels(self, number: float, side: int) -> float:
        if self.grammar.scale is None:
            return float(number)
        return (number + self.grammar.offset) * side / self.grammar.scale

    def _counts(self, numbers: Numbers, wanted: int, piece: str) -> bool:
        self.recognised = True
        if len(numbers) == wanted:
            return True
        flaw = Flaw.RUNAWAY if len(numbers) > MAX_NUMBERS else Flaw.ODD_COUNT
        self.note(flaw, piece, f"{len(numbers)} numbers instead of {wanted}.")
        return False

    def _in_scale(self, numbers: Numbers, piece: str) -> bool:
        """Return whether numbers in the order x, y, x, y lie on the scale, ends included."""
        if self._are_shares(numbers):
            message = f"Numbers from 0 to 1 are not on the scale of {self.grammar.example!r}."
            self.note(Flaw.OUT_OF_SCALE, piece, message)
            return False
        highest = self.grammar.highest or self.grammar.scale
        for index, number in enumerate(numbers):
            most = highest or (self._height if index % 2 else self._width)
            if not 0 <= number <= most:
                message = f"{number:g} lies outside the scale from 0 to {most:g}."
                self.note(Flaw.OUT_OF_SCALE, piece, message)
                return False
        return True

    def _are_shares(self, numbers: Numbers) -> bool:
        """Whether numbers are shares from 0 to 1 in a grammar of whole numbers."""
        if self.grammar.scale == 1 or self.grammar.decimals:
            return False
        return max(numbers) <= 1 and any(number != int(number) for number in numbers)

    def _is_ordered(self, start: Numbers, stop: Numbers, piece: str) -> bool:
        for low, high in zip(start, stop, strict=True):
            if high < low:
                self.note(Flaw.REVERSED, piece, f"The far edge {high:g} is before {low:g}.")
                return False
        for low, high in zip(start, stop, strict=True):
            if high == low:
                self.note(Flaw.EMPTY, piece, f"Both edges are at {low:g}: the box has no size.")
                return False
        return True

    def _was_asked(self, label: str, piece: str) -> bool:
        self.recognised = True
        if not self._asked or not label or _plain(label) in self._asked:
            return True
        self.note(Flaw.UNASKED, piece, f"The question did not name {label[:60]!r}.")
        return False

    def _is_new(self, shape: Shape, piece: str) -> bool:
        times = self._seen.get(shape, 0)
        self._seen[shape] = times + 1
        if times:
            self._repeated[shape] = piece
        return times == 0


def _shown(piece: object) -> str:
    if isinstance(piece, re.Match):
        return str(piece.group())
    return str(piece[-1] if isinstance(piece, tuple) else piece)


def _plain(label: str) -> str:
    return " ".join(label.casefold().split()).rstrip(".:")
