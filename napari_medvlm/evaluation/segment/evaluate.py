"""A whole evaluation: a data set is found, worked on, and everything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.evaluation.runs.report import require_libraries
from napari_medvlm.evaluation.runs.run_folder import (
    RunFolder,
    alone_in,
    case_contents,
    read_json,
    session_path,
    write_text,
)
from napari_medvlm.evaluation.runs.runner import (
    EvaluationTask,
    crashed,
    require_measured,
    run_cases,
    write_outcome,
)
from napari_medvlm.evaluation.runs.tables import write_summary, write_table
from napari_medvlm.evaluation.runs.workers import Workers
from napari_medvlm.evaluation.segment import report, summary
from napari_medvlm.evaluation.segment.cases import Case, Cases, Layout, Skipped, require_known
from napari_medvlm.evaluation.segment.datasets import find_cases
from napari_medvlm.evaluation.segment.mask_files import save_masks
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan, provenance, require_able
from napari_medvlm.evaluation.studies.strata import Columns, store_columns, stored_columns
from napari_medvlm.io.label_images import read_names

__all__ = ("crashed", "keep", "run")


def run(
    dataset: Cases,
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
    done, skipped = run_cases(KIND, dataset.cases, plan, record, out, workers, progress)
    return done, sorted((*dataset.skipped, *skipped), key=lambda skip: skip.case)


def keep(folder: RunFolder, case: Case, outcome: Outcome) -> Outcome:
    """Write sessions first: a case whose file is there is done."""
    bare = _with_sessions(folder.path, outcome)
    write_outcome(folder, case.model_dump(mode="json"), bare)
    return bare


def _with_sessions(out: Path, outcome: Outcome) -> Outcome:
    """Write the sessions of a case to files of their own."""
    bare = []
    for attempt in outcome.attempts:
        if attempt.session:
            write_text(session_path(out, outcome.case, attempt.structure), attempt.session)
        bare.append(attempt.model_copy(update={"session": ""}))
    return outcome.model_copy(update={"attempts": tuple(bare)})


KIND = EvaluationTask(
    "segment", "napari_medvlm.evaluation.segment.case_worker:CaseWorker", Outcome, _with_sessions
)


Json = dict[str, Any]


@dataclass(frozen=True)
class DataSet:
    """Labelled cases on disk, see `layouts.find_cases`; ``names`` is a table of label names."""

    layout: Layout
    images: Path
    labels: Path | None = None
    names: Path | None = None
    channel: int | None = None
    patterns: tuple[str, str] = ("{case}", "{case}")

    def find(self) -> Cases:
        """Its cases, which can be opened from any folder; errors as of `find_cases`."""
        labels = None if self.labels is None else self.labels.absolute()
        return find_cases(
            self.layout, self.images.absolute(), labels, channel=self.channel,
            patterns=self.patterns, names=None if self.names is None else read_names(self.names),
        )  # fmt: skip

    def record(self) -> Json:
        """Where the cases come from, as a run tells it."""
        return {
            "dataset": str(self.layout),
            "images": _full(self.images),
            "labels": _full(self.labels),
            "names": _full(self.names),
            "channel": self.channel,
            "patterns": list(self.patterns),
        }


def evaluate(  # the run, and what it leaves
    data: DataSet,
    plan: Plan,
    out: Path,
    workers: Workers,
    progress: Progress,
    *,
    with_masks: bool = False,
    columns: Columns | None = None,
) -> Json:
    """Work on all cases that are not done yet and write everything; the summary.

    Parameters
    ----------
    with_masks
        Also write the predicted masks, of cases that were done before too.
    columns
        Groups of cases that have means of their own; by default those stored in the folder.

    Raises
    ------
    InvalidReference
        If there is no case or no such structure, or none could be used.
    PromptNotSupported
        If the backend does not take the user's gestures.
    CannotSave
        If another run writes to the folder.
    MedVLMError
        As of `run.run`.
    """
    dataset = data.find()
    require_able(plan)
    require_libraries("surface_distance")
    require_known(dataset.cases, plan.structures)
    with alone_in(out):
        outcomes, skipped = run(dataset, plan, data.record(), out, workers, progress)
        if columns is not None:
            store_columns(out, columns)
        figures = write_all(out, plan, dataset.cases, outcomes, skipped)
        if with_masks:
            save_masks(out, dataset.cases, outcomes)
    require_measured(len(figures["structures"]), skipped, out)
    return figures


def write_all(
    out: Path,
    plan: Plan,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    skipped: Sequence[Skipped] = (),
) -> Json:
    """Write the table, the summary and the report of a run that is kept; the summary."""
    figures: Json = summary.summary(outcomes, skipped, plan, stored_columns(out))
    write_table(out, summary.rows(outcomes))
    write_summary(out, figures)
    settings: Mapping[str, Any] = read_json(out / "run.json") or {}
    report.write_report(out, figures, settings, cases, outcomes)
    return figures


def worst_in(out: Path) -> tuple[str, str] | None:
    """Case and structure with the lowest Dice after the last interaction; `None` if none is done.

    Parameters
    ----------
    out
        The folder of a run, which need not be finished.
    """
    scores = [
        (attempt["steps"][-1]["dice"], str(content["case"]), str(attempt["structure"]))
        for content in case_contents(out)
        for attempt in content.get("attempts", ())
    ]
    return min(scores)[1:] if scores else None


def _full(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
