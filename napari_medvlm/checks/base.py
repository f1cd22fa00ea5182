"""The base class of checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.subject import Sent, Subject
from napari_medvlm.data.check_result import CheckResult, Outcome

Ask = Callable[[Sent], CheckedAnswer]
"""Sends a request and returns its answer."""


class Check(ABC):
    """A check of the reliability of an answer or region.

    Attributes
    ----------
    name
        Short name, shown and recorded.
    description
        A sentence on what it does.
    """

    name: str
    description: str

    @abstractmethod
    def cost(self, subject: Subject) -> int:
        """Maximum number of requests; 0 if it does not apply."""

    @abstractmethod
    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Run the check.

        Raises
        ------
        Cancelled
            If it was stopped.
        MedVLMError
            If a backend fails.
        """

    def passed(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that found no problem."""
        return CheckResult(self.name, Outcome.PASSED, sentence, details)

    def flagged(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that found a problem."""
        return CheckResult(self.name, Outcome.FLAGGED, sentence, details)

    def not_applicable(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that does not apply."""
        return CheckResult(self.name, Outcome.NOT_APPLICABLE, sentence, details)
