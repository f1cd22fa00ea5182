"""How sure a mean is: confidence intervals by drawing cases again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.95
SAMPLES = 9999
MAX_BATCH = 2_000_000
"""So many numbers are drawn at once; more would need much memory."""
NOISE = 1e-12
Observation = tuple[str, str, float]
"""A case, a group, and a value."""


def interval(values: NDArray[Any], seed: int = 0) -> tuple[float | None, float | None]:
    """The confidence interval of a mean; `None` for fewer than two, itself if all are equal."""
    if len(values) < 2:
        return None, None
    if np.ptp(values) < NOISE:
        return float(values[0]), float(values[0])
    column = np.asarray(values, float)[:, None]
    return _bootstrap(column, np.ones_like(column), seed) or (None, None)


def interval_by_case(observations: Iterable[tuple[str, str, float | None]]) -> list[float] | None:
    """The confidence interval of a mean over groups, each of which is a mean of its own.

    Cases are drawn again, with all that they have: what is measured in one case is not independent.

    Parameters
    ----------
    observations
        A case, a group, and a value; nothing counts where the value is `None`.

    Returns
    -------
    The lower and the upper end; `None` for fewer than two cases, or where all cases agree, which
    does not say that others would.
    """
    values = [(case, group, value) for case, group, value in observations if value is not None]
    sums, counts = _sums(values)
    if len(sums) < 2 or _agree(sums, counts):
        return None
    limits = _bootstrap(sums, counts, 0)
    return None if limits is None else list(limits)


def difference_interval(
    first: Sequence[Observation], second: Sequence[Observation], seed: int = 0
) -> tuple[float | None, float | None]:
    """The confidence interval of the difference of two means over groups, paired by position.

    Cases are resampled as by `interval_by_case`.

    Parameters
    ----------
    first, second
        The same cases and groups in the same order.

    Returns
    -------
    The lower and the upper end of the mean of ``second - first``; `None` twice for fewer than two
    cases; the difference twice if it is the same in all cases.
    """
    paired = [(case, group, b - a) for (case, group, a), (*_, b) in zip(first, second, strict=True)]
    sums, counts = _sums(paired)
    if len(sums) < 2:
        return None, None
    if _agree(sums, counts):
        return (grouped_mean(paired),) * 2
    return _bootstrap(sums, counts, seed) or (None, None)


def mean_differences(first: Sequence[Observation], second: Sequence[Observation]) -> Floats:
    """``(cases,)``: the mean of ``second - first`` of each case, paired by position.

    Differences below 1e-12 are 0.
    """
    by_case: dict[str, list[float]] = {}
    for (case, _, a), (*_, b) in zip(first, second, strict=True):
        by_case.setdefault(case, []).append(b - a)
    means = np.array([np.mean(own) for own in by_case.values()])
    return np.where(np.abs(means) < NOISE, 0.0, means)


def grouped_mean(observations: Sequence[Observation]) -> float:
    """The mean over groups of the mean of their values."""
    sums, counts = (array.sum(axis=0) for array in _sums(observations))
    return float((sums / counts).mean())


def _sums(values: Sequence[Observation]) -> tuple[Floats, Floats]:
    """``(cases, groups)``: the sums of the values, and how many there are."""
    cases = {case: row for row, case in enumerate(dict.fromkeys(row[0] for row in values))}
    groups = {group: column for column, group in enumerate(dict.fromkeys(o[1] for o in values))}
    sums, counts = np.zeros((2, len(cases), len(groups)))
    for case, group, value in values:
        sums[cases[case], groups[group]] += value
        counts[cases[case], groups[group]] += 1
    return sums, counts


def _agree(sums: Floats, counts: Floats) -> bool:
    """Whether each group has the same mean in all cases."""
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return bool(np.nanmax(np.nanmax(means, axis=0) - np.nanmin(means, axis=0)) < NOISE)


def _bootstrap(sums: Floats, counts: Floats, seed: int) -> tuple[float, float] | None:
    """BCa; rows of sums and counts are cases, columns groups. `None` where it has no end."""
    from scipy import stats

    def mean(indices: NDArray[np.intp], axis: int) -> Floats:
        count = counts[indices].sum(axis=axis - 1)
        means = np.divide(sums[indices].sum(axis=axis - 1), count, out=np.zeros_like(count),
                        where=count > 0)  # fmt: skip
        total: Floats = means.sum(axis=-1) / (count > 0).sum(axis=-1)
        return total

    limits = stats.bootstrap(
        (np.arange(len(sums)),), mean, confidence_level=LEVEL, n_resamples=SAMPLES,
        vectorized=True, batch=max(MAX_BATCH // sums.size, 1), method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    low, high = float(limits.low), float(limits.high)
    return (low, high) if np.isfinite([low, high]).all() else None
