"""Measures of stated confidences: reliability diagram, ECE, Brier score and risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.grid import FloatArray

Floats = NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies between ``low`` and ``high``.

    Parameters
    ----------
    stated, right
        Their mean confidence, and the share that is right.
    """

    low: float
    high: float
    count: int
    stated: float
    right: float


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """The reliability diagram: bins of equal width from 0 to 1, those without answers left out.

    Parameters
    ----------
    confidence
        ``(n,)``, 0 to 1.
    right
        ``(n,)``, whether each answer was right.

    Raises
    ------
    InvalidReference
        If there are no answers, other numbers of the two, or confidences that are none.
    """
    stated, truth = checked_pairs(confidence, right)
    edges = np.linspace(0, 1, bins + 1)
    bin_index = np.searchsorted(edges[1:-1], stated)
    return tuple(
        Bin(
            float(edges[k]),
            float(edges[k + 1]),
            int(inside.sum()),
            float(stated[inside].mean()),
            float(truth[inside].mean()),
        )
        for k in range(bins)
        if (inside := bin_index == k).any()
    )


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """ECE: how far confidence and share of right answers lie apart, weighted by the bins' counts.

    After Naeini, Cooper and Hauskrecht, AAAI 2015. Arguments as of `reliability`.
    """
    diagram = reliability(confidence, right, bins)
    total = sum(b.count for b in diagram)
    return sum(b.count * abs(b.stated - b.right) for b in diagram) / total


def brier(confidence: ArrayLike, right: ArrayLike) -> float:
    """The Brier score: mean squared difference of confidence and truth, 0 to 1."""
    stated, truth = checked_pairs(confidence, right)
    return float(np.mean((stated - truth) ** 2))


def checked_pairs(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Confidences and truths ``(n,)`` as float64; errors as of `reliability`."""
    stated, truth = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    consistent = stated.ndim == 1 and stated.shape == truth.shape and len(stated) > 0
    if (
        not consistent
        or not ((stated >= 0) & (stated <= 1)).all()
        or not np.isin(truth, (0, 1)).all()
    ):
        raise InvalidReference(
            f"{stated.size} confidences and {truth.size} truths cannot be compared.",
            "Give one confidence from 0 to 1 and one right or wrong for each answer.",
        )
    return stated, truth


@dataclass(frozen=True)
class Reliability:
    """Confidence against truth.

    Attributes
    ----------
    confidence, accuracy
        Means of each bin of equal width that has an answer, 0 to 1.
    counts
        How many answers are in each.
    ece
        Expected calibration error: the distance between the two, weighted by the counts.
    brier
        Mean squared distance of confidence from truth (1 right, 0 wrong).
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    counts: tuple[int, ...]
    ece: float
    brier: float


def reliability_summary(confidence: ArrayLike, correct: ArrayLike) -> Reliability:
    """The reliability diagram with its expected calibration error and Brier score.

    Arguments and errors as of `reliability`.
    """
    bins = reliability(confidence, correct)
    return Reliability(
        tuple(b.stated for b in bins),
        tuple(b.right for b in bins),
        tuple(b.count for b in bins),
        expected_calibration_error(confidence, correct),
        brier(confidence, correct),
    )


def risk_coverage(
    confidence: Sequence[float], correct: Sequence[bool]
) -> tuple[FloatArray, FloatArray]:
    """Share of answers kept, surest first, and of wrong ones among them: each ``(n,)``.

    A value for each different confidence: answers of the same confidence are not distinguished.
    """
    values = np.array(confidence, float)
    order = np.argsort(-values, kind="stable")
    wrong = 1 - np.array(correct, float)[order]
    retained = np.arange(1, len(wrong) + 1)
    last = np.append(np.diff(values[order]) != 0, True)
    return retained[last] / len(wrong), np.cumsum(wrong)[last] / retained[last]
