"""Tests of paired differences, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def wilcoxon_p(differences: Floats) -> float | None:
    """Two-sided p-value of the Wilcoxon signed-rank test, by SciPy; exact for few values.

    Zeros are left out (Wilcoxon 1945). `None` if fewer than two values are not zero.
    """
    from scipy import stats

    nonzero = differences[differences != 0]
    return float(stats.wilcoxon(nonzero).pvalue) if len(nonzero) > 1 else None


def rank_biserial(differences: Floats) -> float | None:
    """Matched-pairs rank-biserial correlation, -1 to 1 (Kerby 2014): the effect size.

    The share of the rank sum of positive differences minus that of negative ones, without zeros;
    `None` if all are zero.
    """
    from scipy import stats

    nonzero = differences[differences != 0]
    if not len(nonzero):
        return None
    ranks = stats.rankdata(np.abs(nonzero))
    return float((ranks * np.sign(nonzero)).sum() / ranks.sum())


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """p-values adjusted by Holm's step-down method (1979); `None` is not counted as a test."""
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    largest = 0.0
    for rank, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[name] = largest
    return adjusted
