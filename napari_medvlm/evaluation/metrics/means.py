"""Means of values of which some are unknown, and groups to take them over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

_Row = TypeVar("_Row")


def known_mean(values: Iterable[float | bool | None]) -> float | None:
    """The mean of the values that are neither `None` nor NaN; `None` if there is none."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return float(np.mean(known)) if known else None


def grouped(rows: Iterable[_Row], key: Callable[[_Row], str]) -> dict[str, list[_Row]]:
    """Rows by a key, in the order of the keys."""
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))
