"""A run that was made: its settings, and the figures of each structure, phrase or question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.summary import figures as answer_figures
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.summary import figures as grounding_figures
from napari_medvlm.evaluation.runs.run_folder import case_contents, read_json
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import figures

Json = dict[str, Any]
METRICS = {
    "segment": (
        *("dice", "iou", "nsd", "hd95_mm"),
        *("noc80", "noc85", "noc90", "dsc_auc", "nsd_auc", "seconds"),
    ),
    "ground": ("iou", "acc30", "acc50", "acc70", "pointing", "seconds"),
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
    """The settings and the figures of a run.

    Parameters
    ----------
    path
        The folder of the run.

    Raises
    ------
    SettingsError
        If it holds no run.
    """

    def __init__(self, path: Path) -> None:
        settings = read_json(path / "run.json")
        if settings is None or settings.get("task") not in METRICS:
            raise SettingsError(
                f"{path} holds no run of 'napari-medvlm evaluate'.",
                "Give the folders that were made with --out.",
            )
        self.path = path
        self.settings: Json = settings
        self.task: str = settings["task"]
        self.plan: Json = settings["plan"]
        self.figures: dict[tuple[str, str], Measured] = {}
        for content in case_contents(path):
            own = _READERS[self.task](content, self.plan)
            self.figures |= {(measured.case, measured.part): measured for measured in own}


def _segmented(content: Json, plan: Json) -> Iterator[Measured]:
    content.pop("source", None)
    outcome = Outcome.model_validate(content)
    for attempt in outcome.attempts:
        own, name = figures(attempt, Plan.model_validate(plan)), attempt.structure
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
