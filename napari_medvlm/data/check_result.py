"""The result of a check of an answer or a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict


class Outcome(StrEnum):
    """What a check says; there is no number for all checks together."""

    PASSED = "passed"
    FLAGGED = "flagged"
    NOT_APPLICABLE = "not applicable"
    """The check says nothing here; the sentence says why."""


@dataclass(frozen=True)
class CheckResult:
    """The result of a check; session files store it as it is.

    Parameters
    ----------
    check
        The name of the check.
    verdict
        Passed, flagged or not applicable.
    sentence
        The verdict in plain words.
    details
        The evidence as JSON has it: questions, answers, shares and overlaps.
    requests
        Requests that were sent to backends.
    seconds
        Run time.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    check: str
    verdict: Outcome
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0
