"""Cases of an evaluation, whatever its task: their base classes, and a data set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from napari_medvlm.data.errors import InvalidReference


class EvaluationCase(BaseModel):
    """A case of a data set.

    Attributes
    ----------
    name
        Unique in its data set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str


class CaseResult(BaseModel):
    """The result of a case, whatever the task.

    Attributes
    ----------
    problem
        Why the case could not be used, in a sentence; empty if it could.
    hint
        What can be done about it.
    fatal
        Whether no other case can go better.
    """

    case: str
    problem: str = ""
    hint: str = ""
    fatal: bool = False


@dataclass(frozen=True)
class SkippedCase:
    """A case that could not be used, and why, in a sentence."""

    case: str
    reason: str


CaseT = TypeVar("CaseT", bound=EvaluationCase)
ResultT = TypeVar("ResultT", bound=CaseResult)


@dataclass(frozen=True)
class Cases(Generic[CaseT]):
    """The cases of a data set.

    Attributes
    ----------
    notes
        What was left out on purpose, a sentence each.
    """

    cases: tuple[CaseT, ...]
    skipped: tuple[SkippedCase, ...] = ()
    notes: tuple[str, ...] = ()

    def require_any(self, noun: str, references: Path, layout: str) -> None:
        """Raise `InvalidReference` if there is no case, with the first reasons.

        Parameters
        ----------
        noun
            What a case is called, ``case`` or ``question``.
        """
        if self.cases:
            return
        reasons = " ".join(dict.fromkeys(skipped.reason for skipped in self.skipped[:3]))
        raise InvalidReference(
            f"There is no {noun} in {references.name} ({layout}). {reasons}".strip(),
            "Say where the images are with --images, or choose the layout with --dataset.",
        )


def skipped_rows(skipped: Sequence[SkippedCase]) -> list[dict[str, Any]]:
    """Skipped cases as rows of a summary: ``case`` and ``reason``."""
    return [{"case": case.case, "reason": case.reason} for case in skipped]
