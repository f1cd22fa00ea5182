"""The evaluation of a backend on labelled cases of segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.evaluation.runs.cases import Cases
from napari_medvlm.evaluation.runs.evaluate import evaluate as evaluate_task
from napari_medvlm.evaluation.runs.run_folder import case_contents
from napari_medvlm.evaluation.runs.workers import Workers
from napari_medvlm.evaluation.segment.cases import Case, Layout, require_known
from napari_medvlm.evaluation.segment.datasets import find_cases
from napari_medvlm.evaluation.segment.mask_files import save_masks
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.task import TASK
from napari_medvlm.evaluation.studies.strata import Columns, store_columns
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

    def find(self) -> Cases[Case]:
        """Its cases, which can be opened from any folder; errors as of `find_cases`."""
        labels = None if self.labels is None else self.labels.absolute()
        return find_cases(
            self.layout, self.images.absolute(), labels, channel=self.channel,
            patterns=self.patterns, names=None if self.names is None else read_names(self.names),
        )  # fmt: skip

    def record(self) -> Json:
        """Where the cases come from, for ``run.json``."""
        return {
            "dataset": str(self.layout),
            "images": _full(self.images),
            "labels": _full(self.labels),
            "names": _full(self.names),
            "channel": self.channel,
            "patterns": list(self.patterns),
        }


def evaluate(
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
    MedVLMError
        As of `runs.evaluate.evaluate`.
    """
    dataset = data.find()
    require_known(dataset.cases, plan.structures)

    def store(scored: Sequence[tuple[Case, Outcome]]) -> None:
        if columns is not None:
            store_columns(out, columns)
        if with_masks:
            save_masks(out, scored)

    return evaluate_task(TASK, dataset, plan, data.record(), out, workers, progress, store)


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
