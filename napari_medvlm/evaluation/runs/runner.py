"""A run over the cases of any task: workers measure them, the folder stores each result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidReference, WorkerCrashed
from napari_medvlm.evaluation.runs.cases import CaseResult, CaseT, ResultT, SkippedCase
from napari_medvlm.evaluation.runs.provenance import hardware
from napari_medvlm.evaluation.runs.run_folder import HARDWARE, RunFolder
from napari_medvlm.evaluation.runs.task import EvaluationTask, PlanT
from napari_medvlm.evaluation.runs.workers import Json, Workers, WorkerSpec


def run_cases(
    task: EvaluationTask[PlanT, CaseT, ResultT],
    cases: Sequence[CaseT],
    plan: PlanT,
    record: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
) -> tuple[list[tuple[CaseT, ResultT]], list[SkippedCase]]:
    """Work on the cases that are not done yet, and store each result with its case.

    Parameters
    ----------
    record
        ``data``, where the cases came from, and ``provenance``, what the figures depend on.
    out
        The folder of the run; a run with the same settings, or with smaller numbers where the task
        is ``extendable``, is resumed.

    Returns
    -------
    The cases that could be used with their results, in their order, and those that could not.

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
    folder = RunFolder(out, run_settings(task, plan, record), task.extendable)
    recorded = {name: task.result.model_validate(result) for name, result in folder.done().items()}
    complete = {name for name, result in recorded.items() if task.is_complete(result, plan)}
    done = {case.name: recorded[case.name] for case in cases if case.name in complete}
    pending = {case.name: case for case in cases if case.name not in done}
    skipped: list[SkippedCase] = []
    progress(len(done) / len(cases), f"{len(done)} of {len(cases)} were done")
    finished, name = len(done), ""
    spec = WorkerSpec(f"{task.reference}.worker", plan.model_dump(mode="json"))
    answering = closing(workers(spec, [c.model_dump(mode="json") for c in pending.values()]))
    with _count_when_stopped(done, len(cases)), answering as answers:
        for content in answers:
            if content is not None:
                result = task.result.model_validate(content)
                _raise_if_fatal(result)
                if result.problem:
                    skipped.append(SkippedCase(result.case, result.problem))
                else:
                    done[result.case] = store(task, folder, pending[result.case], result)
                finished, name = finished + 1, f": {result.case}"
            progress(finished / len(cases), f"{finished} of {len(cases)} cases{name}")
    scored = [(case, done[case.name]) for case in cases if case.name in done]
    return scored, sorted(skipped, key=lambda case: case.case)


def run_settings(
    task: EvaluationTask[PlanT, CaseT, ResultT], plan: PlanT, record: Mapping[str, Any]
) -> Json:
    """The content of ``run.json``: task, plan, ``data``, ``provenance`` and this machine."""
    planned = plan.model_dump(mode="json")
    return {"task": task.name, "plan": planned, **record, HARDWARE: [hardware()]}


def store(
    task: EvaluationTask[PlanT, CaseT, ResultT], folder: RunFolder, case: CaseT, result: ResultT
) -> ResultT:
    """Write the result of a case, which then counts as done; the result as it is stored."""
    stored = task.store(folder.path, result)
    write_outcome(folder, case.model_dump(mode="json"), stored)
    return stored


@contextmanager
def _count_when_stopped(done: Sized, total: int) -> Iterator[None]:
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        raise Cancelled(
            f"Stopped with {len(done)} of {total} cases done; run the same command again to resume."
        ) from None


def require_measured(measured: bool, skipped: Sequence[SkippedCase], out: Path) -> None:
    """Raise `InvalidReference` if a finished run has no result at all, with the first reason."""
    if measured:
        return
    detail = f" None of {len(skipped)} could be used. {skipped[0].reason}" if skipped else ""
    raise InvalidReference(
        f"Nothing was measured.{detail}", f"See {out / 'report.html'} for each case."
    )


def write_outcome(folder: RunFolder, case: Json, outcome: CaseResult) -> None:
    """Write the result of a case with the case itself, for `evaluate open` and new reports."""
    folder.keep(outcome.model_dump(mode="json") | {"source": case})


def crashed(case: Mapping[str, object], error: WorkerCrashed) -> Json:
    """The result of a case whose worker died."""
    outcome = CaseResult(case=str(case["name"]), problem=error.message, hint=error.hint)
    return outcome.model_dump(mode="json")


def _raise_if_fatal(outcome: CaseResult) -> None:
    if outcome.fatal:
        raise BackendUnavailable(outcome.problem, outcome.hint)
