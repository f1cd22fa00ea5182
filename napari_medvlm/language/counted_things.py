"""Numbers of things in English sentences: "two nodules", "both lungs"."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBERS = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}
"""English number words."""

_WORD = re.compile(r"(?<![\w./,-])(?:\d{1,2}(?![\w%]|[.,/:x-]\d|-\w)|[^\W\d][\w-]*+)")
_NAMED_BY_NUMBER = frozenset(
    {
        *("image", "images", "picture", "figure", "slice", "slices", "grade", "level", "levels"),
        *("stage", "phase", "zone", "segment", "segments", "rib", "series", "page", "type"),
    }
)
_NO_THINGS = frozenset(
    {
        *("mm", "cm", "ml", "is", "was", "has", "shows", "this", "thus", "slices", "images"),
        *("pictures", "views", "times", "days", "weeks", "months", "years", "hours", "thirds"),
        *("sides", "lungs", "lobes", "hounsfield", "units", "various", "series", "focus"),
    }
)
_BREAKS = frozenset({"of", "and", "or", "to", "in", "on", "at", "the", "x", "by", "with"})
_REACH = 4


class Counted(NamedTuple):
    """A number of things, and the words that say it."""

    number: int
    words: str


def counted(sentence: str) -> Counted | None:
    """The number of things that an English sentence says; `None` if it says none, or several.

    One thing is not counted, nor are measures, dates and the numbers of slices.
    """
    matches = list(_WORD.finditer(sentence))
    words = [match.group().casefold() for match in matches]
    counts = []
    for index, word in enumerate(words):
        number = int(word) if word.isdecimal() else {**NUMBERS, "both": 2}.get(word, 0)
        named = index and words[index - 1] in _NAMED_BY_NUMBER
        last = _things(words, index + 1)
        if number > 1 and not named and last is not None:
            counts.append(Counted(number, sentence[matches[index].start() : matches[last].end()]))
    return counts[0] if len(counts) == 1 else None


def _things(words: list[str], start: int) -> int | None:
    """Where the noun in the plural stands that a number belongs to."""
    for index in range(start, min(start + _REACH, len(words))):
        word = words[index]
        if word in _BREAKS or word in _NO_THINGS or word.isdecimal():
            return None
        if len(word) > 3 and word.endswith(("s", "ae", "foci")) and not word.endswith(("ss", "us")):
            return index
    return None
