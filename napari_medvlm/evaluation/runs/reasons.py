"""Why a backend returned no result, counted over a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAX_LENGTH = 200
"""Number of characters of a reason in the summary of a run."""
MAX_LINES = 5
"""Number of reasons printed after a run."""


def count_reasons(reasons: Iterable[str]) -> list[dict[str, Any]]:
    """Each ``reason`` that is not empty and its ``count``, the most frequent first.

    Of a reason of more than `MAX_LENGTH` characters, its first sentence; the tables of the run have
    all of it.
    """
    counts = Counter(_short(reason) for reason in reasons if reason)
    return [{"reason": reason, "count": count} for reason, count in counts.most_common()]


def _short(reason: str) -> str:
    if len(reason) <= MAX_LENGTH:
        return reason
    first = re.split(r"(?<=[.!?])\s", reason, maxsplit=1)[0]
    return first if len(first) <= MAX_LENGTH else f"{first[: MAX_LENGTH - 1]}…"


def reason_lines(summary: Mapping[str, Any]) -> list[str]:
    """A line for each of the most frequent reasons: ``12 of 12 without a result: REASON``."""
    reasons, total = summary["reasons"], summary["asked"]
    lines = [
        f"{row['count']} of {total} without a result: {row['reason']}"
        for row in reasons[:MAX_LINES]
    ]
    more = len(reasons) - MAX_LINES
    return [*lines, f"and {more} more reasons"] if more > 0 else lines
