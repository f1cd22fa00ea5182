"""Curves over interactions: the mean with its 95 % band, and the single cases behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from napari_medvlm.evaluation.metrics.confidence_intervals import grouped_mean, interval_by_case

T = TypeVar("T")
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that colour-blind people can distinguish (Okabe and Ito 2008)."""
MAX_CASES = 200
"""Number of single cases that are drawn for a curve, evenly over their last values."""
PANELS = {"dice": "Dice", "nsd": "NSD (surface Dice)"}
"""Metrics of segmentation that are drawn, and their titles."""

CaseCurve = tuple[str, str, Sequence[float]]
"""A case, a structure, and the value after each interaction."""


@dataclass(frozen=True)
class Curve:
    """A metric after each interaction, over cases.

    Attributes
    ----------
    mean
        Over structures of the mean over cases.
    band
        95 % interval of the mean after each interaction, as in the report's tables; `None` where
        there is none.
    cases
        The values of each structure of each case.
    """

    label: str
    mean: tuple[float, ...]
    band: tuple[tuple[float, float] | None, ...]
    cases: tuple[tuple[float, ...], ...]


def curve_of(label: str, rows: Sequence[CaseCurve]) -> Curve:
    """The curve of some structures of cases; cut to the shortest of them."""
    length = min(len(values) for _, _, values in rows)
    mean, band = [], []
    for step in range(length):
        observations = [(case, group, values[step]) for case, group, values in rows]
        ends = interval_by_case(observations)
        mean.append(grouped_mean(observations))
        band.append(None if ends is None else (ends[0], ends[1]))
    cases = tuple(tuple(values[:length]) for _, _, values in rows)
    return Curve(label, tuple(mean), tuple(band), cases)


def evenly(values: Sequence[T], number: int) -> list[T]:
    """At most that many of the values, evenly over their order, the first and last among them."""
    if len(values) <= number:
        return list(values)
    return [values[index] for index in np.linspace(0, len(values) - 1, number).astype(int)]


def draw_curves(page: Any, panels: Mapping[str, Sequence[Curve]]) -> None:
    """Draw a panel with some curves for each metric, by its key in `PANELS`, on a figure."""
    from matplotlib.ticker import MaxNLocator

    subplots = page.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (key, curves) in zip(subplots, panels.items(), strict=True):
        for number, curve in enumerate(curves):
            _draw_curve(axes, curve, COLORS[number % len(COLORS)])
        axes.set(xlabel="interactions", title=PANELS[key], ylim=(0, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    handles, labels = subplots[0].get_legend_handles_labels()
    page.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)


def _draw_curve(axes: Any, curve: Curve, color: str) -> None:
    steps = range(1, len(curve.mean) + 1)
    cases = sorted(curve.cases, key=lambda values: values[-1])
    for values in evenly(cases, MAX_CASES) if len(cases) > 1 else ():
        axes.plot(steps, values, color=color, alpha=0.25, linewidth=0.7)
    known = [ends is not None for ends in curve.band]
    if any(known):
        low, high = (
            [value if ends is None else ends[end] for ends, value in _pairs(curve)]
            for end in (0, 1)
        )
        axes.fill_between(steps, low, high, where=known, color=color, alpha=0.18, linewidth=0)
    axes.plot(steps, curve.mean, color=color, marker="o", ms=4, label=curve.label)


def _pairs(curve: Curve) -> list[tuple[tuple[float, float] | None, float]]:
    return list(zip(curve.band, curve.mean, strict=True))
