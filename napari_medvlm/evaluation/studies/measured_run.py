"""A run that was made: its settings, and the figures of each structure, phrase or question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.summary import figures as answer_figures
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.summary import figures as grounding_figures
from napari_medvlm.evaluation.runs.run_folder import case_contents, read_json
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import MASKS, Plan
from napari_medvlm.evaluation.segment.summary import figures

Json = dict[str, Any]
Key = tuple[str, str]
METRICS = {
    "segment": (
        *("dice", "iou", "nsd", "hd95_mm"),
        *("noc80", "noc85", "noc90", "dsc_auc", "nsd_auc", "seconds"),
    ),
    "ground": ("iou", "acc30", "acc50", "acc70", "pointing", "dice", "nsd", "hd95_mm", "seconds"),
    "ask": (
        "accuracy",
        "exact",
        "f1",
        "recall",
        "rouge1",
        "rouge_l",
        "iou",
        "mre",
        "refused",
        "seconds",
    ),
}
"""What is compared, by the kind of run."""


@dataclass(frozen=True)
class Measured:
    """The figures of one structure, phrase or question of a case.

    Attributes
    ----------
    part
        The structure or the phrase; empty for a question.
    cluster
        What is independent of others and resampled: the case, or the first image of a question.
    group
        What has a mean of its own in the report: the structure; empty for phrases and questions.
    size_ml
        Volume of a structure in the labels, if known.
    """

    case: str
    part: str
    cluster: str
    group: str
    figures: Json
    size_ml: float | None = None


class MeasuredRun:
    """The settings and the figures of a run, or their means over the seeds of a study.

    Parameters
    ----------
    path
        The folder of the run, or of a study with several seeds; its plan has all seeds as ``seed``.

    Raises
    ------
    SettingsError
        If it holds no run.
    """

    def __init__(self, path: Path) -> None:
        seeds = [] if (path / "run.json").exists() else seed_folders(path)
        settings = read_json((seeds or [path])[0] / "run.json")
        if settings is None or settings.get("task") not in METRICS:
            raise SettingsError(
                f"{path} holds no run of 'napari-medvlm evaluate'.",
                "Give the folders that were made with --out.",
            )
        self.folders = seeds or [path]
        self.settings: Json = settings
        self.task: str = settings["task"]
        self.plan: Json = settings["plan"]
        self.figures: dict[Key, Measured] = {}
        if seeds:
            runs = [MeasuredRun(folder) for folder in seeds]
            self.plan = self.plan | {"seed": [run.plan["seed"] for run in runs]}
            self.settings = settings | {"plan": self.plan}
            self.figures = _means_over(runs)
            return
        for content in case_contents(path):
            own = _READERS[self.task](content, self.plan)
            self.figures |= {(measured.case, measured.part): measured for measured in own}

    @property
    def is_of_masks(self) -> bool:
        """Whether its masks are of another program: they have no prompts and no curve."""
        return self.plan.get("backend") == MASKS


def seed_folders(path: Path) -> list[Path]:
    """The folders ``seed-SEED`` of a study, in the order of the seeds."""
    numbered = {
        int(folder.name.removeprefix("seed-")): folder
        for folder in path.glob("seed-*")
        if folder.name.removeprefix("seed-").isdecimal()
    }
    return [numbered[seed] for seed in sorted(numbered)]


def _means_over(runs: Sequence[MeasuredRun]) -> dict[Key, Measured]:
    """The means over runs of what all of them have."""
    first, *others = runs
    return {
        key: replace(measured, figures=_mean_figures([run.figures[key].figures for run in runs]))
        for key, measured in first.figures.items()
        if all(key in run.figures for run in others)
    }


def _mean_figures(figures_by_run: Sequence[Json]) -> Json:
    means: Json = {}
    for name, first in figures_by_run[0].items():
        values = [own[name] for own in figures_by_run]
        if isinstance(first, list):
            means[name] = [_mean(step) for step in zip(*values, strict=True)]
        else:
            means[name] = _mean(values)
    return means


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are known; `None` if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _segmented(content: Json, settings: Json) -> Iterator[Measured]:
    content.pop("source", None)
    outcome, plan = Outcome.model_validate(content), Plan.model_validate(settings)
    if not outcome.has_steps(plan.interactions):
        return  # of a run with more interactions that has not come to this case yet
    for attempt in outcome.attempts:
        own, name = figures(attempt, plan), attempt.structure
        yield Measured(outcome.case, name, outcome.case, name, own, attempt.truth_ml)


def _grounded(content: Json, plan: Json) -> Iterator[Measured]:
    outcome = Grounded.model_validate(content)
    for phrase in outcome.results:
        own = grounding_figures(phrase) | {"seconds": outcome.seconds}
        yield Measured(outcome.case, phrase.phrase, outcome.case, "", own)


def _answered(content: Json, plan: Json) -> Iterator[Measured]:
    outcome = Answered.model_validate(content)
    images = content.get("source", {}).get("images") or [outcome.case]
    yield Measured(outcome.case, "", str(images[0]), "", answer_figures(outcome))


_READERS: Mapping[str, Callable[[Json, Json], Iterator[Measured]]] = {
    "segment": _segmented,
    "ground": _grounded,
    "ask": _answered,
}


def last_of(figure: Mapping[str, Any], name: str) -> float | None:
    """A figure, or the last of a curve."""
    value = figure[name]
    last: float | None = value[-1] if isinstance(value, list) else value
    return last
