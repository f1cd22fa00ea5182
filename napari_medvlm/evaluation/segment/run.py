"""A run over a data set: cases to workers, results to the folder, then tables and the report."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
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
    there = {name: _read(content) for name, content in folder.done().items()}
    done = {case.name: there[case.name] for case in found.cases if case.name in there}
    waiting = {case.name: case for case in found.cases if case.name not in done}
    problems = list(found.skipped)
    progress(len(done) / len(found.cases), f"{len(done)} of {len(found.cases)} were done")
    left = list(waiting.values())
    with closing(_worked_on(left, plan, workers, progress, len(found.cases))) as outcomes:
        for outcome in outcomes:
            if outcome.problem:
                problems.append(Skipped(outcome.case, outcome.problem))
            else:
                done[outcome.case] = keep(folder, waiting[outcome.case], outcome)
    order = [done[case.name] for case in found.cases if case.name in done]
    return order, sorted(problems, key=lambda skipped: skipped.case)


def _worked_on(
    waiting: list[Case], plan: Plan, workers: Workers, progress: Progress, total: int
) -> Generator[Outcome, None, None]:
    """What comes of the cases, as it comes; tells how far they are, also while nothing comes."""
    making = Making(WORKER, plan.model_dump(mode="json"))
    finished, name = total - len(waiting), ""
    with closing(workers(making, [case.model_dump(mode="json") for case in waiting])) as answers:
        for given in answers:
            if given is not None:
                outcome = Outcome.model_validate(given)
                if outcome.fatal:
                    raise BackendUnavailable(outcome.problem, outcome.hint)
                yield outcome
                finished, name = finished + 1, f": {outcome.case}"
            progress(finished / total, f"{finished} of {total} cases{name}")


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
