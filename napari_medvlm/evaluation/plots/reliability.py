"""Diagrams of confidence: how often answers of a confidence are right, and risk and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_medvlm.checks.reliability import reliability_summary, risk_coverage
from napari_medvlm.evaluation.plots.curves import COLORS

LIMITS = (0.0, 1.02)


def draw_reliability(
    page: Any, confidence: Sequence[float], correct: Sequence[bool], word: str = "answers"
) -> None:
    """Draw the reliability diagram, and risk against coverage, on a figure.

    Parameters
    ----------
    page
        A ``matplotlib.figure.Figure``.
    confidence, correct
        The confidence of each answer, 0 to 1, and whether it is right.
    word
        What is counted, in the plural.
    """
    reliability = reliability_summary(confidence, correct)
    coverage, risk = risk_coverage(confidence, correct)
    left, right = page.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="#999", linestyle="dotted")
    left.plot(reliability.confidence, reliability.accuracy, marker="o", ms=5, color=COLORS[0])
    left.set(xlabel="confidence", ylabel="share that is right", title="Reliability",
             xlim=LIMITS, ylim=LIMITS)  # fmt: skip
    right.plot(coverage, risk, marker="o", ms=3, color=COLORS[1])
    right.set(xlabel=f"coverage: share of {word}, highest confidence first",
              ylabel="risk: share of them wrong", title="Risk and coverage",
              xlim=LIMITS, ylim=LIMITS)  # fmt: skip
    for axes in (left, right):
        axes.grid(alpha=0.3)
