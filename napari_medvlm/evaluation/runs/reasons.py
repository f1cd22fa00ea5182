"""Why a backend returned no result, counted over a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAX_LINES = 5
"""Number of reasons printed after a run."""


def count_reasons(reasons: Iterable[str]) -> list[dict[str, Any]]:
    """Each ``reason`` that is not empty and its ``count``, the most frequent first."""
    counts = Counter(reason for reason in reasons if reason)
    return [{"reason": reason, "count": count} for reason, count in counts.most_common()]


def reason_lines(summary: Mapping[str, Any]) -> list[str]:
    """A line for each of the most frequent reasons: ``12 of 12 without a result: REASON``."""
    reasons, total = summary["reasons"], summary["asked"]
    lines = [
        f"{row['count']} of {total} without a result: {row['reason']}"
        for row in reasons[:MAX_LINES]
    ]
    more = len(reasons) - MAX_LINES
    return [*lines, f"and {more} more reasons"] if more > 0 else lines
