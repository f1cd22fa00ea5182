"""Limits in questions: "more than 3 cm", "under half a millilitre", "at least 100 HU"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["mL", "mm", "HU"]


@dataclass(frozen=True)
class Limit:
    """A value that a question compares with.

    Parameters
    ----------
    value
        In millilitres, millimetres or Hounsfield units, as `unit` says.
    is_upper
        Whether what is asked for lies below it.
    is_inclusive
        Whether the value itself is asked for too: "at least", "at most".
    """

    value: float
    unit: Unit
    is_upper: bool = False
    is_inclusive: bool = False

    def admits(self, value: float) -> bool:
        """Whether a value is on the side that is asked for."""
        if self.is_inclusive and abs(value - self.value) <= 1e-9 * abs(self.value):
            return True
        return value < self.value if self.is_upper else value > self.value


@dataclass(frozen=True)
class StatedLimit:
    """A limit, the dimension that its comparative names and the question without it."""

    limit: Limit
    dimension: str
    rest: str


_UNITS: dict[str, tuple[Unit, float]] = {
    r"ml|cc|ccm|cm\^?3|cm³|millilit(?:re|er)s?|cubic cent[i]?met(?:re|er)s?": ("mL", 1.0),
    r"mm\^?3|mm³|cubic millimet(?:re|er)s?|microlit(?:re|er)s?|µl|μl": ("mL", 0.001),
    r"dl|decilit(?:re|er)s?": ("mL", 100.0),
    r"l|lit(?:re|er)s?": ("mL", 1000.0),
    r"mm|millimet(?:re|er)s?": ("mm", 1.0),
    r"cm|centimet(?:re|er)s?": ("mm", 10.0),
    r"hu|hounsfield(?: units?)?": ("HU", 1.0),
}
_NUMBER_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10",
    "half an": "0.5", "half a": "0.5", "a half": "0.5", "half": "0.5", "a quarter of a": "0.25",
    "an": "1", "a": "1", "a hundred": "100", "twenty": "20", "fifty": "50",
}  # fmt: skip
_MORE = r"more|larger|bigger|greater|denser|brighter"
_LESS = r"less|smaller|lower|fewer|darker"
_DIMENSIONS = {
    "wide": (r"wider|broader", r"narrower"),
    "tall": (r"taller|higher", r""),
    "long": (r"longer", r"shorter"),
}
_ALL_MORE = "|".join((_MORE, *(more for more, _ in _DIMENSIONS.values())))
_ALL_LESS = "|".join(filter(None, (_LESS, *(less for _, less in _DIMENSIONS.values()))))
_COMPARATORS = (
    (rf"(?:no|not) (?:{_ALL_MORE}) than|at most|up to|≤|<=", True, True),
    (rf"(?:no|not) (?:{_ALL_LESS}) than|at least|≥|>=", False, True),
    (rf"(?:{_ALL_MORE}) than|over|above|exceed(?:s|ing)?|in excess of|surpass(?:es)?|>",
     False, False),
    (rf"(?:{_ALL_LESS}) than|(?:(?:stays?|falls?) )?(?:under|below)|falls? short of|<",
     True, False),
)  # fmt: skip
_SCALAR = (
    r"(?P<number>[-\u2212]?\d+(?:[.,]\d+)*|" + "|".join(sorted(_NUMBER_WORDS, key=len)[::-1]) + ")"
)


def limit_in(text: str) -> StatedLimit | None:
    """The only limit that a question in lower case states; `None` if there is none, or several."""
    stated: list[StatedLimit] = []
    for comparator, is_upper, is_inclusive in _COMPARATORS:
        for units, (unit, factor) in _UNITS.items():
            pattern = rf"(?<![\w-])(?P<by>{comparator}) ?{_SCALAR}[ -]?(?:{units})(?![\w³^])"
            for match in re.finditer(pattern, text):
                limit = Limit(_number(match["number"]) * factor, unit, is_upper, is_inclusive)
                rest = " ".join((text[: match.start()] + text[match.end() :]).split())
                dimension = _dimension(match["by"]) if unit == "mm" else ""
                stated.append(StatedLimit(limit, dimension, rest))
        if stated:
            break
    return stated[0] if len(stated) == 1 else None


def _number(text: str) -> float:
    """A number in digits, with thousands separated by commas, or in words."""
    digits = _NUMBER_WORDS.get(text, text).replace("\u2212", "-")
    is_grouped = re.fullmatch(r"-?[1-9]\d{0,2}(?:,\d{3})+", digits)
    return float(digits.replace(",", "" if is_grouped else "."))


def _dimension(comparator: str) -> str:
    return next(
        (
            name
            for name, words in _DIMENSIONS.items()
            if re.search("|".join(filter(None, words)), comparator)
        ),
        "",
    )
