"""Format numbers as in radiology reports."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"\s\d+\Z")
EQUAL = 0.01
"""Volumes that differ by less than this share of the smaller one are reported as equally large.

An outline that is moved by a fraction of a voxel changes a volume by more.
"""
MANY_TIMES = 2.0
"""From this ratio on, a volume is reported as so many times another, not as a percentage more."""


def volume(ml: float) -> str:
    """Millilitres; what is too small for them in cubic millimetres."""
    if 0 < ml < 0.01:
        return f"{1000 * ml:.2g} mm³"
    return f"{ml:.1f} mL" if ml >= 100 else f"{ml:.2f} mL"


def share(part: float) -> str:
    """Format a share from 0 to 1; only exact values are written as 0 % or 100 %."""
    if 0 < part < 0.0001:
        return "less than 0.01 %"
    if 0 < part < 0.01:
        return f"{100 * part:.2g} %"
    if 0.99 < part < 1:
        return "more than 99 %"
    return f"{100 * part:.0f} %"


def intensity(value: float) -> str:
    """Four digits, never as a power of ten."""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 or not value else f"{value:.6f}"


def position(spl_mm: Iterable[float], digits: int) -> str:
    """A place by the sides that it lies on: ``S 17, A 4, R 23 mm``."""
    names = (("S", "I"), ("P", "A"), ("L", "R"))
    parts = (
        f"{negative if mm < 0 else positive} {abs(mm):.{digits}f}"
        for mm, (positive, negative) in zip(spl_mm, names, strict=True)
    )
    return f"{', '.join(parts)} mm"


def definite(name: str) -> str:
    """A name with its article, or a numbered name without one: "the liver", "Object 1"."""
    return name if _NUMBERED.search(name) else f"the {name}"


def leading(name: str) -> str:
    """`definite` at the start of a sentence."""
    text = definite(name)
    return text[:1].upper() + text[1:]


def compared(first: str, most_ml: float, second: str, less_ml: float) -> str:
    """Compare the volumes of two structures; the larger one is given first."""
    apart = most_ml - less_ml
    larger, smaller = leading(first), definite(second)
    if apart == 0:
        return f"{larger} and {smaller} are equally large, {volume(most_ml)} each."
    if apart < EQUAL * less_ml:
        return (
            f"{larger} and {smaller} are equally large: they differ by {volume(apart)}, "
            "less than 1 %."
        )
    by = f"{larger} is larger than {smaller}, by {volume(apart)}"
    if most_ml >= MANY_TIMES * less_ml:
        return f"{by} ({most_ml / less_ml:.1f} times as large)." if less_ml else f"{by}."
    return f"{by} ({100 * apart / less_ml:.0f} %)."
