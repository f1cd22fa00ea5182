"""The evaluation of segmentation: structures that a simulated user segments."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.errors import BackendUnavailable, PromptNotSupported, SettingsError
from napari_medvlm.evaluation.runs.run_folder import session_path, write_text
from napari_medvlm.evaluation.runs.task import EvaluationTask
from napari_medvlm.evaluation.segment.cases import Case
from napari_medvlm.evaluation.segment.measure import measure
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import LIBRARIES, Plan, require_able
from napari_medvlm.evaluation.segment.report import write_report
from napari_medvlm.evaluation.segment.summary import rows, summary
from napari_medvlm.evaluation.studies.strata import stored_columns


def _store_sessions(out: Path, outcome: Outcome) -> Outcome:
    """Write the sessions of a case to files of their own; the outcome without them."""
    bare = []
    for attempt in outcome.attempts:
        if attempt.session:
            write_text(session_path(out, outcome.case, attempt.structure), attempt.session)
        bare.append(attempt.model_copy(update={"session": ""}))
    return outcome.model_copy(update={"attempts": tuple(bare)})


TASK = EvaluationTask(
    name="segment",
    reference=f"{__name__}:TASK",
    plan=Plan,
    case=Case,
    result=Outcome,
    require_able=require_able,
    measure=measure,
    requirements=("surface_distance",),
    libraries=LIBRARIES,
    rows=lambda scored: rows(outcome for _, outcome in scored),
    summary=lambda run: summary(run.results, run.skipped, run.plan, stored_columns(run.out)),
    report=write_report,
    store=_store_sessions,
    fatal=(BackendUnavailable, SettingsError, PromptNotSupported),
    extendable=("interactions",),
    is_complete=lambda outcome, plan: outcome.has_steps(plan.interactions),
)
