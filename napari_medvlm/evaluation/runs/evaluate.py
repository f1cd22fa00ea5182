"""An evaluation from the cases to the report, for any task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.evaluation.runs.cases import Cases, CaseT, ResultT
from napari_medvlm.evaluation.runs.provenance import provenance
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import alone_in, case_contents, read_json
from napari_medvlm.evaluation.runs.runner import require_measured, run_cases
from napari_medvlm.evaluation.runs.tables import write_summary, write_table
from napari_medvlm.evaluation.runs.task import EvaluationTask, PlanT, Results
from napari_medvlm.evaluation.runs.workers import Workers

Json = dict[str, Any]


def evaluate(  # noqa: PLR0913  # a run, its folder and who works on it
    task: EvaluationTask[PlanT, CaseT, ResultT],
    dataset: Cases[CaseT],
    plan: PlanT,
    data: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
    on_scored: Callable[[Sequence[tuple[CaseT, ResultT]]], object] = lambda _: None,
) -> Json:
    """Work on all cases that are not done yet and write everything; the summary.

    Parameters
    ----------
    data
        Where the cases come from, for ``run.json``.
    out
        The folder of the run; a run with the same settings is resumed.
    on_scored
        Called with all cases and their results before the summary is written.

    Raises
    ------
    SettingsError
        If the folder holds a run with other settings.
    BackendUnavailable
        If the backend cannot work, or a library is missing.
    PromptNotSupported
        If the backend does not take the plan's prompts.
    InvalidReference
        If no case could be used.
    CannotSave
        If the folder cannot be written to, or another run writes there.
    Cancelled
        If it is stopped by ``progress`` or Ctrl-C, with how many cases are done.
    """
    task.require_able(plan)
    require_libraries(*task.requirements)
    record = {"data": dict(data), "provenance": task_provenance(task, plan)}
    with alone_in(out):
        scored, skipped = run_cases(task, dataset.cases, plan, record, out, workers, progress)
        on_scored(scored)
        results = Results(out, plan, scored, (*dataset.skipped, *skipped), dataset.notes)
        figures = write_results(task, results)
    require_measured(bool(task.rows(scored)), results.skipped, out)
    return figures


def task_provenance(
    task: EvaluationTask[PlanT, CaseT, ResultT], plan: PlanT
) -> dict[str, str | None]:
    """Versions of all that the figures depend on, the weights' digest, and the machine."""
    return dict(provenance(plan.backend, plan.model, task.libraries))


def write_results(
    task: EvaluationTask[PlanT, CaseT, ResultT], results: Results[PlanT, CaseT, ResultT]
) -> Json:
    """Write the tables, the summary and the report of a run that has its ``run.json``; the summary.

    Raises
    ------
    CannotSave
        If the folder cannot be written to.
    """
    out, figures = results.out, task.summary(results)
    write_table(out, task.rows(results.scored))
    write_summary(out, figures)
    task.report(out, figures, read_json(out / "run.json") or {}, results.scored)
    return figures


def rewrite_report(task: EvaluationTask[PlanT, CaseT, ResultT], out: Path) -> None:
    """Write the report of a finished run again; not of older runs that do not store their cases."""
    summary = read_json(out / "summary.json")
    scored = [
        (task.case.model_validate(content.pop("source")), task.result.model_validate(content))
        for content in case_contents(out)
        if "source" in content
    ]
    if summary is not None and scored:
        task.report(out, summary, read_json(out / "run.json") or {}, scored)
