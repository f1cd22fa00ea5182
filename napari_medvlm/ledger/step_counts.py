"""Numbers of prompts, stored as ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, overload

from pydantic import PlainSerializer, PlainValidator

_RANGE = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?", re.ASCII)


class StepCounts(Sequence[int]):
    """Immutable whole numbers; numbers that follow each other need no more room than one.

    It is pickled as a tuple, so that a backend in a worker gets one.

    Parameters
    ----------
    numbers
        The numbers, 0 or more.
    """

    __slots__ = ("_ranges",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._ranges = _merged(range(number, number + 1) for number in numbers)

    @classmethod
    def of_text(cls, text: str) -> StepCounts:
        """The numbers of a text as `str` writes it; `ValueError` if it is no such text."""
        matches = [_RANGE.fullmatch(part) for part in text.split(",")] if text else []
        ranges = [range(int(m[1]), int(m[2] or m[1]) + 1) for m in matches if m]
        if len(ranges) < len(matches) or not all(ranges):
            raise ValueError(f"These are no numbers of prompts: {text[:40]}")
        return cls._of(_merged(ranges))

    @classmethod
    def _of(cls, ranges: tuple[range, ...]) -> StepCounts:
        counts = cls()
        counts._ranges = ranges
        return counts

    def appended(self, number: int) -> StepCounts:
        """Add a number at the end. Returns other numbers."""
        last, more = self._ranges[-1:], (range(number, number + 1),)
        return self._of(self._ranges[:-1] + _merged(last + more))

    def up_to(self, most: int) -> StepCounts:
        """Those that are not larger than a number."""
        cut = (range(r.start, min(r.stop, most + 1)) for r in self._ranges)
        return self._of(tuple(filter(None, cut)))

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[int, ...]: ...
    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        return tuple(self)[index]

    def __len__(self) -> int:
        return sum(map(len, self._ranges))

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._ranges)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StepCounts):
            return self._ranges == other._ranges
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __str__(self) -> str:
        """The numbers as in session files, such as ``"1-12,14"``."""
        return ",".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in self._ranges)

    def __repr__(self) -> str:
        return f"StepCounts.of_text({str(self)!r})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return tuple, (tuple(self),)


def _merged(ranges: Iterable[range]) -> tuple[range, ...]:
    """Ranges without those that begin where the one before ends."""
    merged: list[range] = []
    for part in ranges:
        if merged and merged[-1].stop == part.start:
            merged[-1] = range(merged[-1].start, part.stop)
        else:
            merged.append(part)
    return tuple(merged)


def _validated(value: Any) -> StepCounts:
    match value:
        case StepCounts():
            return value
        case str():
            return StepCounts.of_text(value)
        case list() | tuple() if all(type(item) is int and item >= 0 for item in value):
            return StepCounts(value)
    raise ValueError("Numbers of prompts are a text such as 1-12,14, or a list.")


StoredStepCounts = Annotated[
    StepCounts, PlainValidator(_validated), PlainSerializer(str, return_type=str)
]
"""Numbers of prompts, in files as a text of ranges; files of versions 1 to 3 have a list."""
