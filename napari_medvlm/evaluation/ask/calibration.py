"""Whether confidence can be believed: how often what is said with it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray

BINS = 10


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


def reliability(confidence: Sequence[float], correct: Sequence[bool]) -> Reliability:
    """The reliability diagram of answers, which must not be none."""
    said, right = np.array(confidence, float), np.array(correct, float)
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], said)
    counts = np.bincount(place, minlength=BINS)
    used = counts > 0
    means = np.bincount(place, said, BINS)[used] / counts[used]
    rates = np.bincount(place, right, BINS)[used] / counts[used]
    ece = float(np.sum(counts[used] * np.abs(means - rates)) / len(said))
    return Reliability(
        tuple(means.tolist()), tuple(rates.tolist()), tuple(counts[used].tolist()), ece,
        float(np.mean((said - right) ** 2)),
    )  # fmt: skip


def risk_coverage(
    confidence: Sequence[float], correct: Sequence[bool]
) -> tuple[FloatArray, FloatArray]:
    """Share of answers kept, surest first, and of wrong ones among them: each ``(n,)``.

    A value for each different confidence: nothing tells answers of the same apart.
    """
    said = np.array(confidence, float)
    order = np.argsort(-said, kind="stable")
    wrong = 1 - np.array(correct, float)[order]
    kept = np.arange(1, len(wrong) + 1)
    last = np.append(np.diff(said[order]) != 0, True)
    return kept[last] / len(wrong), np.cumsum(wrong)[last] / kept[last]
