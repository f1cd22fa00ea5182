"""A run over a data set: cases to workers, results to the folder, then tables and the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.errors import BackendUnavailable, WorkerCrashed
from napari_medvlm.evaluation.runs import RunFolder, safe, write_text
from napari_medvlm.evaluation.segment.cases import Case, Cases, Skipped
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan, provenance
from napari_medvlm.evaluation.workers import Json, Making, Workers

WORKER = "napari_medvlm.evaluation.segment.work:CaseWorker"


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
    settings = {
        "task": "segment",
        "plan": plan.model_dump(mode="json"),
        "data": dict(data),
        "provenance": dict(provenance(plan)),
    }
    folder = RunFolder(out, settings)
    done = {name: _read(there) for name, there in folder.done().items()}
    done = {case.name: done[case.name] for case in found.cases if case.name in done}
    problems = list(found.skipped)
    waiting = [case for case in found.cases if case.name not in done]
    total = len(found.cases)
    progress(len(done) / total, f"{len(done)} of {total} were done")
    making = Making(WORKER, plan.model_dump(mode="json"))
    by_name = {case.name: case for case in waiting}
    for given in workers(making, [case.model_dump(mode="json") for case in waiting]):
        if given is not None:
            outcome = Outcome.model_validate(given)
            if outcome.fatal:
                raise BackendUnavailable(outcome.problem, outcome.hint)
            if outcome.problem:
                problems.append(Skipped(outcome.case, outcome.problem))
            else:
                done[outcome.case] = keep(folder, by_name[outcome.case], outcome)
        finished = len(done) + len(problems) - len(found.skipped)
        progress(finished / total, _words(finished, total, given))
    order = [done[case.name] for case in found.cases if case.name in done]
    return order, sorted(problems, key=lambda skipped: skipped.case)


def crashed(case: Json, error: WorkerCrashed) -> Json:
    """The outcome of a case whose worker died."""
    outcome = Outcome(case=case["name"], problem=error.message, hint=error.hint)
    return outcome.model_dump(mode="json")


def session_path(out: Path, case: str, structure: str) -> Path:
    """Where the session of a structure of a case is kept."""
    return out / "sessions" / safe(case) / f"{safe(structure)}.json"


def keep(folder: RunFolder, case: Case, outcome: Outcome) -> Outcome:
    """Write sessions first: a case whose file is there is done."""
    bare = []
    for attempt in outcome.attempts:
        write_text(session_path(folder.path, case.name, attempt.structure), attempt.session)
        bare.append(attempt.model_copy(update={"session": ""}))
    kept = outcome.model_copy(update={"attempts": tuple(bare)})
    folder.keep(kept.model_dump(mode="json") | {"source": case.model_dump(mode="json")})
    return kept


def _read(there: Json) -> Outcome:
    return Outcome.model_validate({key: value for key, value in there.items() if key != "source"})


def _words(finished: int, total: int, given: Json | None) -> str:
    name = "" if given is None else f": {given['case']}"
    return f"{finished} of {total} cases{name}"
