"""The evaluation of grounding: phrases whose regions are known."""

from __future__ import annotations

from napari_medvlm.backends.base import Task
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.measure import measure
from napari_medvlm.evaluation.ground.outcomes import Outcome
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.ground.report import write_report
from napari_medvlm.evaluation.ground.summary import rows, summary
from napari_medvlm.evaluation.runs.task import EvaluationTask

TASK = EvaluationTask(
    name="ground",
    reference=f"{__name__}:TASK",
    plan=Plan,
    case=Case,
    result=Outcome,
    require_able=lambda plan: plan.require_task(Task.GROUND, "find phrases"),
    measure=measure,
    requirements=("surface_distance",),
    libraries=("numpy", "scipy", "pycocotools"),
    rows=lambda scored: rows(outcome for _, outcome in scored),
    summary=lambda run: summary(run.results, run.skipped, run.plan),
    report=write_report,
)
