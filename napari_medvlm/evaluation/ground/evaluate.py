"""A run of grounding over a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress, Task
from napari_medvlm.evaluation.ground.datasets import Cases
from napari_medvlm.evaluation.ground.outcomes import Outcome
from napari_medvlm.evaluation.ground.plan import LIBRARIES, Plan, require_able
from napari_medvlm.evaluation.ground.report import write_report
from napari_medvlm.evaluation.ground.summary import rows, summary
from napari_medvlm.evaluation.runs.provenance import provenance
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import alone_in, read_json
from napari_medvlm.evaluation.runs.runner import EvaluationTask, require_measured, run_cases
from napari_medvlm.evaluation.runs.tables import write_summary, write_table
from napari_medvlm.evaluation.runs.workers import Workers

Json = dict[str, Any]
KIND = EvaluationTask("ground", "napari_medvlm.evaluation.ground.case_worker:CaseWorker", Outcome)


def run(
    dataset: Cases,
    plan: Plan,
    data: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
) -> Json:
    """Work on all cases and write everything; the summary.

    Parameters
    ----------
    data
        Where the cases came from, for the record.
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
    require_able(plan.backend, Task.GROUND, "find phrases")
    require_libraries("surface_distance")
    record = {"data": dict(data), "provenance": provenance(plan.backend, plan.model, LIBRARIES)}
    with alone_in(out):
        outcomes, unused = run_cases(KIND, dataset.cases, plan, record, out, workers, progress)
        figures = summary(outcomes, (*dataset.unused, *unused), plan)
        write_table(out, rows(outcomes))
        write_summary(out, figures)
        write_report(out, figures, read_json(out / "run.json") or {}, dataset.cases, outcomes)
    require_measured(len(outcomes), (*dataset.unused, *unused), out)
    return figures
