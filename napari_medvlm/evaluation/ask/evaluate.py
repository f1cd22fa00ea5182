"""A run of questions over a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress, Task
from napari_medvlm.evaluation.ask.items import Items
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import LIBRARIES, Plan
from napari_medvlm.evaluation.ask.report import write_report
from napari_medvlm.evaluation.ask.summary import rows, summary
from napari_medvlm.evaluation.ground.plan import require_able
from napari_medvlm.evaluation.runs.provenance import provenance
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import alone_in, read_json, write_json
from napari_medvlm.evaluation.runs.runner import EvaluationTask, require_measured, run_cases
from napari_medvlm.evaluation.runs.workers import Workers
from napari_medvlm.evaluation.segment.summary import write_table

Json = dict[str, Any]
KIND = EvaluationTask("ask", "napari_medvlm.evaluation.ask.item_worker:ItemWorker", Outcome)


def run(
    dataset: Items,
    plan: Plan,
    data: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
) -> Json:
    """Ask all questions and write everything; the summary.

    Parameters
    ----------
    data
        Where the questions came from, for the record.
    out
        The run's folder; one with the same settings is gone on with.

    Raises
    ------
    SettingsError
        If the folder holds a run with other settings.
    BackendUnavailable
        If the backend cannot work, or a library is missing.
    InvalidReference
        If no case could be used.
    CannotSave
        If the folder cannot be written to, or another run writes there.
    """
    require_able(plan.backend, Task.ANSWER, "answer questions")
    require_libraries("sacrebleu", "rouge_score")
    record = {"data": dict(data), "provenance": provenance(plan.backend, plan.model, LIBRARIES)}
    with alone_in(out):
        outcomes, unused = run_cases(KIND, dataset.items, plan, record, out, workers, progress)
        items = {item.name: item for item in dataset.items}
        scored_items = [(items[outcome.case], outcome) for outcome in outcomes]
        figures = summary(scored_items, (*dataset.unused, *unused), plan, dataset.notes)
        write_table(out, rows(scored_items))
        write_json(out / "summary.json", figures)
        write_report(out, figures, read_json(out / "run.json") or {}, scored_items)
    require_measured(len(scored_items), (*dataset.unused, *unused), out)
    return figures
