"""A whole evaluation: a data set is found, worked on, and everything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.evaluation.going import require_measured
from napari_medvlm.evaluation.runs import alone_in, read_json, write_json
from napari_medvlm.evaluation.segment import report, run, summary
from napari_medvlm.evaluation.segment.cases import Case, Cases, Layout, Skipped, require_known
from napari_medvlm.evaluation.segment.layouts import find_cases
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan, require_able
from napari_medvlm.evaluation.workers import Workers
from napari_medvlm.io.label_images import read_names

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


def evaluate(data: DataSet, plan: Plan, out: Path, workers: Workers, progress: Progress) -> Json:
    """Work on all cases that are not done yet and write everything; the summary.

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
    found = data.find()
    require_able(plan)
    report.require_libraries()
    require_known(found.cases, plan.structures)
    with alone_in(out):
        outcomes, skipped = run.run(found, plan, data.record(), out, workers, progress)
        told = write_all(out, plan, found.cases, outcomes, skipped)
    require_measured(len(told["structures"]), skipped, out)
    return told


def write_all(
    out: Path,
    plan: Plan,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    skipped: Sequence[Skipped] = (),
) -> Json:
    """Write the table, the summary and the report of a run that is kept; the summary."""
    told: Json = summary.summary(outcomes, skipped, plan)
    summary.write_table(out, summary.rows(outcomes))
    write_json(out / "summary.json", told)
    settings: Mapping[str, Any] = read_json(out / "run.json") or {}
    report.write_report(out, told, settings, cases, outcomes)
    return told


def worst_in(out: Path) -> tuple[str, str] | None:
    """Case and structure with the lowest Dice after the last interaction; `None` if none is done.

    Parameters
    ----------
    out
        The folder of a run, which need not be finished.
    """
    done = [read_json(path) or {} for path in sorted((out / "cases").glob("[!.]*.json"))]
    found = [
        (attempt["steps"][-1]["dice"], str(one["case"]), str(attempt["structure"]))
        for one in done
        for attempt in one.get("attempts", ())
    ]
    return min(found)[1:] if found else None


def _full(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
