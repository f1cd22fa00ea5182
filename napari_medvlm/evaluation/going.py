"""A run over cases of any kind: to workers, what comes of each to the folder, and on again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel

from napari_medvlm.backends.base import Progress
from napari_medvlm.errors import BackendUnavailable, WorkerCrashed
from napari_medvlm.evaluation.runs import RunFolder
from napari_medvlm.evaluation.workers import Json, Making, Workers


class Named(Protocol):
    """A case, with a name that no other has, as a pydantic model."""

    @property
    def name(self) -> str:
        """Unique in its data set."""

    def model_dump(self, *, mode: str) -> Json:
        """The case as JSON."""


class Came(BaseModel):
    """What came of a case, whatever the task.

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
class Unused:
    """A case that could not be used, and why, in a sentence."""

    case: str
    reason: str


_Outcome = TypeVar("_Outcome", bound=Came)


def go_through(
    cases: Sequence[Named],
    outcome: type[_Outcome],
    making: Making,
    folder: RunFolder,
    workers: Workers,
    progress: Progress,
) -> tuple[list[_Outcome], list[Unused]]:
    """Work on the cases that are not done yet, and keep what comes of each.

    Returns
    -------
    What came of the cases that could be used, in their order, and those that could not.

    Raises
    ------
    BackendUnavailable
        If the backend cannot work.
    CannotSave
        If the folder cannot be written to.
    """
    there = {name: outcome.model_validate(content) for name, content in folder.done().items()}
    done = {case.name: there[case.name] for case in cases if case.name in there}
    waiting = [case.model_dump(mode="json") for case in cases if case.name not in done]
    unused: list[Unused] = []
    progress(len(done) / len(cases), f"{len(done)} of {len(cases)} were done")
    finished, name = len(done), ""
    with closing(workers(making, waiting)) as answers:
        for given in answers:
            if given is not None:
                came = outcome.model_validate(given)
                _raise_if_fatal(came)
                if came.problem:
                    unused.append(Unused(came.case, came.problem))
                else:
                    folder.keep(came.model_dump(mode="json"))
                    done[came.case] = came
                finished, name = finished + 1, f": {came.case}"
            progress(finished / len(cases), f"{finished} of {len(cases)} cases{name}")
    order = [done[case.name] for case in cases if case.name in done]
    return order, sorted(unused, key=lambda one: one.case)


def crashed(case: Mapping[str, object], error: WorkerCrashed) -> Json:
    """The outcome of a case whose worker died."""
    came = Came(case=str(case["name"]), problem=error.message, hint=error.hint)
    return came.model_dump(mode="json")


def _raise_if_fatal(came: Came) -> None:
    if came.fatal:
        raise BackendUnavailable(came.problem, came.hint)
