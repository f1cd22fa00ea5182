"""One kind of evaluation: how a case is measured, and how results become figures and a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import BackendUnavailable, MedVLMError, SettingsError
from napari_medvlm.evaluation.runs.cases import CaseT, ResultT, SkippedCase
from napari_medvlm.worker.environment_runner import RoutedRunner

Json = dict[str, Any]


class EvaluationPlan(BaseModel):
    """The backend of a run; each task adds its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = "embedded"
    model: str | None = None
    device: str = "cpu"

    def require_task(self, task: Task, what: str) -> None:
        """Raise `BackendUnavailable` if there is no such backend, or it does not do a task."""
        info = registry.info(self.backend)
        if task not in info.tasks:
            raise BackendUnavailable(f"{info.title} does not {what}.", "Choose another backend.")


PlanT = TypeVar("PlanT", bound=EvaluationPlan)


@dataclass(frozen=True)
class Results(Generic[PlanT, CaseT, ResultT]):
    """The results of a run.

    Attributes
    ----------
    out
        The folder of the run.
    scored
        The cases that could be used, each with its result.
    notes
        What of the data set was left out on purpose, a sentence each.
    """

    out: Path
    plan: PlanT
    scored: Sequence[tuple[CaseT, ResultT]]
    skipped: Sequence[SkippedCase] = ()
    notes: Sequence[str] = ()

    @property
    def results(self) -> list[ResultT]:
        """The results without their cases."""
        return [result for _, result in self.scored]


@dataclass(frozen=True)
class EvaluationTask(Generic[PlanT, CaseT, ResultT]):
    """What differs from one kind of evaluation to another.

    Parameters
    ----------
    name
        Of the task in ``run.json`` and ``summary.json``.
    reference
        Where this object is, as ``module:name``, for worker processes.
    plan, case, result
        The pydantic models of the settings, of a case and of its result.
    require_able
        Raises `BackendUnavailable` or `PromptNotSupported` if the backend cannot do the plan.
    measure
        Has the backend work on a case and scores the result.
    requirements
        Modules that scoring needs besides those of reports.
    libraries
        Distributions whose versions the figures depend on.
    rows
        The rows of ``results.csv``.
    summary
        The content of ``summary.json``.
    report
        Writes ``report.html`` from the folder, the summary, the settings and the scored cases.
    store
        Writes to the folder what must be there before a case counts as done; what remains of the
        result.
    fatal
        Errors after which no other case can go better.
    extendable
        Numbers in the plan that may be larger when a run is resumed.
    is_complete
        Whether a result has all that the plan asks for; otherwise its case is measured again.
    """

    name: str
    reference: str
    plan: type[PlanT]
    case: type[CaseT]
    result: type[ResultT]
    require_able: Callable[[PlanT], None]
    measure: Callable[[CaseT, PlanT, RoutedRunner], ResultT]
    requirements: tuple[str, ...]
    libraries: tuple[str, ...]
    rows: Callable[[Sequence[tuple[CaseT, ResultT]]], list[Json]]
    summary: Callable[[Results[PlanT, CaseT, ResultT]], Json]
    report: Callable[[Path, Json, Json, Sequence[tuple[CaseT, ResultT]]], Path]
    store: Callable[[Path, ResultT], ResultT] = lambda _, result: result
    fatal: tuple[type[MedVLMError], ...] = (BackendUnavailable, SettingsError)
    extendable: tuple[str, ...] = ()
    is_complete: Callable[[ResultT, PlanT], bool] = lambda result, plan: True

    def worker(self, plan: Mapping[str, Any]) -> CaseWorker[PlanT, CaseT, ResultT]:
        """A worker for a plan as of `model_dump`."""
        return CaseWorker(self, self.plan.model_validate(plan))


class CaseWorker(Generic[PlanT, CaseT, ResultT]):
    """Works on one case after the other; the backend stays loaded, in a process of its own."""

    def __init__(self, task: EvaluationTask[PlanT, CaseT, ResultT], plan: PlanT) -> None:
        self._task = task
        self._plan = plan
        self._runner = RoutedRunner()

    def __call__(self, case: Mapping[str, Any]) -> Json:
        """Work on a case, as of `model_dump`; its result, as of `model_dump`."""
        return self.result(self._task.case.model_validate(case)).model_dump(mode="json")

    def result(self, case: CaseT) -> ResultT:
        """Work on a case. An error is the ``problem`` of the result and is not raised."""
        try:
            return self._task.measure(case, self._plan, self._runner)
        except MedVLMError as error:
            fatal = isinstance(error, self._task.fatal)
            return self._task.result(
                case=case.name, problem=error.message, hint=error.hint, fatal=fatal
            )

    def stop(self) -> None:
        """End the backend's process."""
        self._runner.stop()
