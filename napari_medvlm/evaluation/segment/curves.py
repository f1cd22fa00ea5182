"""What a curve of scores against interactions comes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POOR_DICE = 0.2
"""Up to this Dice the CVPR 2025 challenge counts the surface Dice as 0."""


def interactions_to(dice: Sequence[float], wanted: float) -> int | None:
    """The first interaction, from 1, after which the Dice is at least ``wanted``."""
    return next((k for k, value in enumerate(dice, 1) if value >= wanted), None)


def area_under(values: Sequence[float]) -> float:
    """Area under a curve by the trapezoid rule, a step of 1 from value to value.

    This is the challenge's: five clicks that are all perfect have an area of 4.
    """
    curve = np.asarray(values, np.float64)
    return float(((curve[1:] + curve[:-1]) / 2).sum())


def challenge_nsd(nsd: Sequence[float], dice: Sequence[float]) -> list[float]:
    """The surface Dice as the challenge counts it: 0 where the Dice is poor."""
    return [n if d > POOR_DICE else 0.0 for n, d in zip(nsd, dice, strict=True)]
