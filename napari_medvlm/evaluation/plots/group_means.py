"""A mean of each group with its 95 % interval, and the single values behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_medvlm.evaluation.plots.curves import COLORS, evenly

MAX_GROUPS = 30
"""Number of groups that are drawn; of more, those with the lowest means."""
MAX_VALUES = 200
"""Number of single values that are drawn of a group, evenly over their ranks."""
LABEL_LENGTH = 40
"""Characters of a name that are drawn."""
HEIGHT_IN = 0.32
"""Height of a row of the figure."""


@dataclass(frozen=True)
class Group:
    """Values of a metric from 0 to 1.

    Attributes
    ----------
    interval
        95 % interval of the mean, as in the report's tables; `None` where there is none.
    """

    label: str
    values: tuple[float, ...]
    interval: tuple[float, float] | None

    @property
    def mean(self) -> float:
        """Over the values."""
        return float(np.mean(self.values))


def shown_groups(groups: Sequence[Group]) -> list[Group]:
    """The groups that are drawn, from the highest mean to the lowest."""
    known = [group for group in groups if group.values]
    return sorted(known, key=lambda group: (-group.mean, group.label))[-MAX_GROUPS:]


def figure_size(groups: Sequence[Group]) -> tuple[float, float]:
    """Width and height of a figure of some groups, inches."""
    return 8.0, 1.1 + HEIGHT_IN * max(len(shown_groups(groups)), 2)


def draw_group_means(page: Any, groups: Sequence[Group], metric: str) -> None:
    """Draw a row for each group on a ``matplotlib.figure.Figure``: values, mean and interval."""
    shown = shown_groups(groups)
    axes = page.subplots()
    for row, group in enumerate(reversed(shown)):
        values = evenly(sorted(group.values), MAX_VALUES)
        axes.scatter(values, [row] * len(values), s=18, alpha=0.45, color=COLORS[0], linewidth=0)
        if group.interval is not None:
            axes.plot(group.interval, [row, row], color=COLORS[1], linewidth=2)
        axes.plot(group.mean, row, marker="D", color=COLORS[1], ms=5)
    axes.set(xlabel=metric, xlim=(-0.02, 1.02), ylim=(-0.6, len(shown) - 0.4))
    axes.set_yticks(range(len(shown)), [_label(group) for group in reversed(shown)])
    axes.grid(alpha=0.3, axis="x")


def _label(group: Group) -> str:
    name = group.label.replace("$", r"\$")  # no formula
    short = name if len(name) <= LABEL_LENGTH else name[: LABEL_LENGTH - 1] + "…"
    return f"{short} ({len(group.values)})"
