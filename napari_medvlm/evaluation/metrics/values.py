"""Sizes, areas, volumes and angles in an answer, in the unit that the question asks for."""

from __future__ import annotations

import re

from napari_medvlm.evaluation.metrics.text import NUMBER

_LENGTHS = {"um": 1e-3, "\u00b5m": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0}
_LONG = {
    "micrometer": "um", "millimeter": "mm", "centimeter": "cm", "meter": "m",
    "micrometre": "um", "millimetre": "mm", "centimetre": "cm", "metre": "m",
}  # fmt: skip
_POWERS = {"": 1, "^2": 2, "2": 2, "\u00b2": 2, "^3": 3, "3": 3, "\u00b3": 3}
_VOLUMES = {"ml": 1e3, "cc": 1e3, "l": 1e6, "milliliter": 1e3, "liter": 1e6}
_BEFORE = {"square ": "2", "cubic ": "3"}
_UNIT = re.compile(
    r"\s*-?(?P<before>square |cubic )?(?P<unit>(?:milli|centi|micro)?met(?:er|re)s?|"
    r"(?:milli)?liters?|[um\u00b5c]m|m[lL]|cc|[mlL])(?P<power>\^?[23]|[\u00b2\u00b3])?(?![\w^])"
)
_ASKED = re.compile(r"\b(?:in|unit(?:s)?(?:\s+is|:)?)\s+" + _UNIT.pattern.removeprefix(r"\s*-?"))


def unit_of(question: str) -> str:
    """The last unit that a question asks for ("in mm"), as a symbol; empty if none."""
    matches = list(_ASKED.finditer(question))
    return matches[-1].group().split(maxsplit=1)[1] if matches else ""


def values_in(text: str, unit: str = "") -> tuple[float, ...]:
    """The numbers of a text, those with a unit of the same dimension converted to a unit.

    ``values_in("It is 2.3 cm wide.", "mm")`` gives ``(23.0,)``. Numbers without a unit, and those
    of another dimension, are as written.
    """
    asked = _millimetres(_UNIT.match(unit)) if unit else None
    values: list[float] = []
    stop = 0
    for match in NUMBER.finditer(text):
        if match.start() < stop:
            continue  # the power of the unit before it
        written = _UNIT.match(text, match.end())
        stop = written.end() if written else 0
        value = float(match.group().replace(",", ""))
        own = _millimetres(written)
        if asked and own and own[1] == asked[1]:
            value *= own[0] / asked[0]
        values.append(value)
    return tuple(values)


def _millimetres(match: re.Match[str] | None) -> tuple[float, int] | None:
    """A unit in powers of millimetres, and that power."""
    if match is None:
        return None
    name = match["unit"].removesuffix("s")
    name = name if name == "cc" or name in _LENGTHS else name.lower()
    if name in _VOLUMES:
        return _VOLUMES[name], 3
    power = _POWERS[match["power"] or _BEFORE.get(match["before"] or "", "")]
    return _LENGTHS[_LONG.get(name, name)] ** power, power
