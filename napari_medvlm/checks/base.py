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

COMPUTED = "The answer is computed from segmented objects or the header, without a model."


def cost_of(check: Check, subject: Subject) -> int:
    """Maximum number of requests of a check; 0 if it does not apply."""
    return check.cost(subject) if check.is_for(subject) else 0


class Check(ABC):
    """A check of the reliability of an answer or region.

    Attributes
    ----------
    name
        Short name, shown and recorded.
    description
        A sentence on what it does.
    needs_model
        Whether it is of answers of a model only: of a computed answer it would state nothing.
    """

    name: str
    description: str
    needs_model: bool = False

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

    def is_for(self, subject: Subject) -> bool:
        """Whether the answer or region is of the kind that it checks."""
        return not (self.needs_model and subject.is_computed)

    def passed(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that found no problem."""
        return CheckResult(self.name, Outcome.PASSED, sentence, details)

    def flagged(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that found a problem."""
        return CheckResult(self.name, Outcome.FLAGGED, sentence, details)

    def not_applicable(self, sentence: str, **details: Any) -> CheckResult:
        """The result of a check that does not apply."""
        return CheckResult(self.name, Outcome.NOT_APPLICABLE, sentence, details)
