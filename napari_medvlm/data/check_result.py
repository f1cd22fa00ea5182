"""What came of checking whether an answer or a region deserves belief."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What a check says; there is no number for all checks together."""

    PASSED = "passed"
    FLAGGED = "flagged"
    NOT_APPLICABLE = "not applicable"
    """The check says nothing here; the sentence says why."""


@dataclass(frozen=True)
class CheckResult:
    """What one check came to.

    Parameters
    ----------
    check
        The name of the check.
    verdict
        What it says.
    sentence
        The same in plain words.
    details
        What it rests on, as JSON has it: what was asked, what was answered, shares and overlaps.
    requests
        How many times a backend was asked for it.
    seconds
        How long it took.
    """

    check: str
    verdict: Outcome
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0
