"""A run over cases of any kind: to workers, what comes of each to the folder, and on again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidReference, WorkerCrashed
from napari_medvlm.evaluation.runs.provenance import hardware
from napari_medvlm.evaluation.runs.run_folder import HARDWARE, RunFolder
from napari_medvlm.evaluation.runs.workers import Json, Workers, WorkerSpec


class Named(Protocol):
    """A case, with a name that no other has, as a pydantic model."""

    @property
    def name(self) -> str:
        """Unique in its data set."""

    def model_dump(self, *, mode: str) -> Json:
        """The case as JSON."""


class CaseResult(BaseModel):
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
class SkippedCase:
    """A case that could not be used, and why, in a sentence."""

    case: str
    reason: str


_Outcome = TypeVar("_Outcome", bound=CaseResult)


@dataclass(frozen=True)
class EvaluationTask(Generic[_Outcome]):
    """What differs from one kind of run to another.

    Parameters
    ----------
    task
        Its name in the record.
    worker
        Who works on cases, see `workers.Making`.
    outcome
        What comes of a case.
    before
        Writes to the run's folder what must be there before a case counts as done; what is left.
    """

    task: str
    worker: str
    outcome: type[_Outcome]
    before: Callable[[Path, _Outcome], _Outcome] = lambda _, outcome: outcome


def run_cases(
    kind: EvaluationTask[_Outcome],
    cases: Sequence[Named],
    plan: BaseModel,
    record: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
) -> tuple[list[_Outcome], list[SkippedCase]]:
    """Work on the cases that are not done yet, and keep what comes of each with the case.

    Parameters
    ----------
    record
        ``data``, where the cases came from, and ``provenance``, what the figures depend on.
    out
        The run's folder; one with the same settings is gone on with.

    Returns
    -------
    What came of the cases that could be used, in their order, and those that could not.

    Raises
    ------
    SettingsError
        If the folder holds a run with other settings.
    BackendUnavailable
        If the backend cannot work.
    CannotSave
        If the folder cannot be written to.
    Cancelled
        If it is stopped by ``progress`` or Ctrl-C, with how many cases are done.
    """
    planned = plan.model_dump(mode="json")
    settings = {"task": kind.task, "plan": planned, **record, HARDWARE: [hardware()]}
    folder = RunFolder(out, settings)
    recorded = {
        name: kind.outcome.model_validate(outcome) for name, outcome in folder.done().items()
    }
    done = {case.name: recorded[case.name] for case in cases if case.name in recorded}
    pending = {case.name: case.model_dump(mode="json") for case in cases if case.name not in done}
    unused: list[SkippedCase] = []
    progress(len(done) / len(cases), f"{len(done)} of {len(cases)} were done")
    finished, name = len(done), ""
    answering = closing(workers(WorkerSpec(kind.worker, planned), list(pending.values())))
    with _count_when_stopped(done, len(cases)), answering as answers:
        for content in answers:
            if content is not None:
                outcome = kind.outcome.model_validate(content)
                _raise_if_fatal(outcome)
                if outcome.problem:
                    unused.append(SkippedCase(outcome.case, outcome.problem))
                else:
                    outcome = kind.before(out, outcome)
                    write_outcome(folder, pending[outcome.case], outcome)
                    done[outcome.case] = outcome
                finished, name = finished + 1, f": {outcome.case}"
            progress(finished / len(cases), f"{finished} of {len(cases)} cases{name}")
    order = [done[case.name] for case in cases if case.name in done]
    return order, sorted(unused, key=lambda skipped: skipped.case)


@contextmanager
def _count_when_stopped(done: Sized, total: int) -> Iterator[None]:
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        raise Cancelled(
            f"Stopped with {len(done)} of {total} cases done; run the same command again to resume."
        ) from None


def require_measured(count: int, unused: Sequence[SkippedCase], out: Path) -> None:
    """Raise `InvalidReference` if a run that is over has measured nothing at all.

    Parameters
    ----------
    count
        How much was measured.
    unused
        The cases that could not be used.
    """
    if count:
        return
    detail = f" None of {len(unused)} could be used. {unused[0].reason}" if unused else ""
    raise InvalidReference(
        f"Nothing was measured.{detail}", f"See {out / 'report.html'} for each case."
    )


def write_outcome(folder: RunFolder, case: Json, outcome: CaseResult) -> None:
    """Write what came of a case, with the case itself: so it can be opened, and told of anew."""
    folder.keep(outcome.model_dump(mode="json") | {"source": case})


def crashed(case: Mapping[str, object], error: WorkerCrashed) -> Json:
    """The outcome of a case whose worker died."""
    outcome = CaseResult(case=str(case["name"]), problem=error.message, hint=error.hint)
    return outcome.model_dump(mode="json")


def _raise_if_fatal(outcome: CaseResult) -> None:
    if outcome.fatal:
        raise BackendUnavailable(outcome.problem, outcome.hint)
