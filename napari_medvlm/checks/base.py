"""What a check is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.subject import Sent, Subject
from napari_medvlm.data.check_result import CheckResult, Outcome

Ask = Callable[[Sent], CheckedAnswer]
"""Has something asked, and waits for what is said."""


class Check(ABC):
    """One reason to believe an answer or not.

    Attributes
    ----------
    name
        Short, for people and for records.
    about
        What it does, a sentence.
    """

    name: str
    about: str

    @abstractmethod
    def cost(self, subject: Subject) -> int:
        """How many requests it takes at most; 0 also where it does not apply."""

    @abstractmethod
    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """What it comes to.

        Raises
        ------
        Cancelled
            If it is no longer wanted.
        MedVLMError
            If a backend cannot answer.
        """

    def passed(self, sentence: str, **details: Any) -> CheckResult:
        """Nothing against the answer."""
        return CheckResult(self.name, Outcome.PASSED, sentence, details)

    def flagged(self, sentence: str, **details: Any) -> CheckResult:
        """Something against it."""
        return CheckResult(self.name, Outcome.FLAGGED, sentence, details)

    def mute(self, sentence: str, **details: Any) -> CheckResult:
        """The check says nothing here."""
        return CheckResult(self.name, Outcome.NOT_APPLICABLE, sentence, details)
