"""A run over a data set: cases to workers, results to the folder, then tables and the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.evaluation.going import Kind, carry_out, crashed
from napari_medvlm.evaluation.going import keep as kept
from napari_medvlm.evaluation.runs import RunFolder, safe, write_text
from napari_medvlm.evaluation.segment.cases import Case, Cases, Skipped
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan, provenance
from napari_medvlm.evaluation.workers import Workers

__all__ = ("crashed", "keep", "run", "session_path")


def run(
    found: Cases,
    plan: Plan,
    data: Mapping[str, Any],
    out: Path,
    workers: Workers,
    progress: Progress,
) -> tuple[list[Outcome], list[Skipped]]:
    """Work on the cases that are not done yet, and keep what comes of each.

    Parameters
    ----------
    data
        Where the cases came from, for the record.
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
    """
    record = {"data": dict(data), "provenance": provenance(plan)}
    done, skipped = carry_out(KIND, found.cases, plan, record, out, workers, progress)
    return done, sorted((*found.skipped, *skipped), key=lambda one: one.case)


def session_path(out: Path, case: str, structure: str) -> Path:
    """Where the session of a structure of a case is kept."""
    return out / "sessions" / safe(case) / f"{safe(structure)}.json"


def keep(folder: RunFolder, case: Case, outcome: Outcome) -> Outcome:
    """Write sessions first: a case whose file is there is done."""
    bare = _with_sessions(folder.path, outcome)
    kept(folder, case.model_dump(mode="json"), bare)
    return bare


def _with_sessions(out: Path, outcome: Outcome) -> Outcome:
    """Write the sessions of a case to files of their own."""
    bare = []
    for attempt in outcome.attempts:
        write_text(session_path(out, outcome.case, attempt.structure), attempt.session)
        bare.append(attempt.model_copy(update={"session": ""}))
    return outcome.model_copy(update={"attempts": tuple(bare)})


KIND = Kind("segment", "napari_medvlm.evaluation.segment.work:CaseWorker", Outcome, _with_sessions)
