"""Tests of paired differences, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PERMUTATIONS = 9999
EQUAL = 1e-12


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


def permutation_p(differences: Floats, seed: int = 0) -> float | None:
    """Two-sided p-value of the paired permutation test of the mean difference, by SciPy.

    The signs of the differences are flipped, in all ways where these are no more than
    ``PERMUTATIONS``, else in as many random ones. `None` if fewer than two values are not zero.
    """
    from scipy import stats

    if np.count_nonzero(differences) < 2:
        return None
    result = stats.permutation_test(
        (differences,), lambda sample, axis: np.mean(sample, axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.pvalue)


def cohen_d(differences: Floats) -> float | None:
    """Standardised mean difference of pairs: mean by standard deviation, n - 1 (Cohen's d_z).

    `None` for fewer than two differences, or where all are equal.
    """
    if len(differences) < 2 or np.ptp(differences) < EQUAL:
        return None
    return float(differences.mean() / differences.std(ddof=1))
