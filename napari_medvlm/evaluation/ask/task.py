"""The evaluation of answers: questions whose right answers are known."""

from __future__ import annotations

from napari_medvlm.backends.base import Task
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.measure import measure
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.report import write_report
from napari_medvlm.evaluation.ask.summary import rows, summary
from napari_medvlm.evaluation.runs.task import EvaluationTask

TASK = EvaluationTask(
    name="ask",
    reference=f"{__name__}:TASK",
    plan=Plan,
    case=Item,
    result=Outcome,
    require_able=lambda plan: plan.require_task(Task.ANSWER, "answer questions"),
    measure=measure,
    requirements=("sacrebleu", "rouge_score"),
    libraries=("numpy", "sacrebleu", "rouge-score"),
    rows=rows,
    summary=lambda run: summary(run.scored, run.skipped, run.plan, run.notes),
    report=write_report,
)
