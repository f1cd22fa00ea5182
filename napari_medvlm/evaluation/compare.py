"""Two runs on the same cases: paired differences, with confidence intervals by case or image.

Runs of all three kinds: segmentation, grounding, answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.summary import figures as answer_figures
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.summary import figures as grounding_figures
from napari_medvlm.evaluation.metrics.confidence_intervals import (
    Observation,
    difference_interval,
    grouped_mean,
    mean_differences,
)
from napari_medvlm.evaluation.metrics.paired_tests import holm, rank_biserial, wilcoxon_p
from napari_medvlm.evaluation.runs.run_folder import read_json
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
    "ask": ("accuracy", "exact", "f1", "rouge1", "rouge_l", "iou", "mre", "refused", "seconds"),
}
"""What is compared, by the kind of run."""
FIELDS = ("a", "b", "difference", "low", "high", "p", "effect")
NOC = ("noc80", "noc85", "noc90")
AUC = ("dsc_auc", "nsd_auc")
DEPENDS = {
    "tolerance_mm": ("nsd", "nsd_auc"),
    "interactions": (*NOC, *AUC),
    "first_prompt": AUC,
}
"""Metrics that mean something else where a setting differs, which are not compared then."""


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
    """

    case: str
    part: str
    cluster: str
    group: str
    figures: Json


def compare(a: Path, b: Path, seed: int = 0) -> Json:
    """How much larger each figure is in the second run than in the first.

    Structures, phrases and questions that both runs have are paired. Means are those of the
    reports: over structures, each a mean over its cases; over phrases; over questions. The
    bootstrap (BCa, 95 %) resamples what is independent, as the reports do: cases, and of questions
    their images.

    Returns
    -------
    ``metrics``: for each its means ``a`` and ``b``, ``difference`` with its interval ``low`` to
    ``high``, and over how many ``cases`` (of questions: images); Dice, IoU, NSD and HD95 after the
    last interaction. Of grounding and answers: those of each phrase and question, see
    `ground.summary.figures` and `ask.summary.figures`. ``p`` is of the Wilcoxon signed-rank test
    of the mean differences of cases, ``p_holm`` adjusted for the number of metrics (without
    ``seconds``), ``effect`` the rank-biserial correlation. ``structures``, of segmentation: the
    same for each structure. ``settings``: those that differ, with both values; ``omitted``: metrics
    that mean something else under them. ``unpaired``: what only one of the runs has. An interval
    is `None` for fewer than two cases.

    Raises
    ------
    SettingsError
        If a folder holds no run, or the runs are of different tasks, or have no case in common.
    """
    first, second = (_Run(path) for path in (a, b))
    _require_comparable(first, second)
    keys = [key for key in first.figures if key in second.figures]
    if not keys:
        raise SettingsError(
            f"{a} and {b} have no case in common.", "Compare runs on the same data set."
        )
    settings = _differing_settings(first, second)
    omitted = {name for setting in settings for name in DEPENDS.get(setting, ())}
    names = [name for name in METRICS[first.task] if name not in omitted]
    parts: dict[str, list[tuple[str, str]]] = {}
    for key in keys if first.task == "segment" else ():
        parts.setdefault(key[1], []).append(key)
    unpaired = sorted(first.figures.keys() ^ second.figures.keys())
    return {
        "a": str(a),
        "b": str(b),
        "pairs": len(keys),
        "unpaired": [f"{case}: {part}" if part else case for case, part in unpaired],
        "settings": settings,
        "omitted": sorted(omitted),
        "metrics": _differences(names, keys, first, second, seed),
        "structures": {
            part: _differences(names, own, first, second, seed) for part, own in parts.items()
        },
    }


class _Run:
    def __init__(self, path: Path) -> None:
        settings = read_json(path / "run.json")
        if settings is None or settings.get("task") not in METRICS:
            raise SettingsError(
                f"{path} holds no run of 'napari-medvlm evaluate'.",
                "Give the folders that were made with --out.",
            )
        self.task: str = settings["task"]
        self.plan: Json = settings["plan"]
        self.figures: dict[tuple[str, str], Measured] = {}
        for file in sorted((path / "cases").glob("[!.]*.json")):
            content = read_json(file)
            if content is not None:
                own = _READERS[self.task](content, self.plan)
                self.figures |= {(measured.case, measured.part): measured for measured in own}


def _segmented(content: Json, plan: Json) -> Iterator[Measured]:
    content.pop("source", None)
    outcome = Outcome.model_validate(content)
    for attempt in outcome.attempts:
        own, name = figures(attempt, Plan.model_validate(plan)), attempt.structure
        yield Measured(outcome.case, name, outcome.case, name, own)


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


def _require_comparable(a: _Run, b: _Run) -> None:
    if a.task != b.task:
        raise SettingsError(
            f"The runs did different things: task {a.task}, {b.task}.",
            "Compare two runs of 'segment', of 'ground' or of 'ask'.",
        )


def _differing_settings(a: _Run, b: _Run) -> dict[str, list[Any]]:
    names = dict.fromkeys((*a.plan, *b.plan))
    pairs = {name: [a.plan.get(name), b.plan.get(name)] for name in names}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def _differences(
    names: Sequence[str], keys: Sequence[tuple[str, str]], a: _Run, b: _Run, seed: int
) -> Json:
    """The difference of each figure, with p-values adjusted for their number."""
    metrics = {name: _difference(name, keys, a, b, seed) for name in names}
    adjusted = holm({name: row["p"] for name, row in metrics.items() if name != "seconds"})
    return {name: row | {"p_holm": adjusted.get(name)} for name, row in metrics.items()}


def _difference(name: str, keys: Sequence[tuple[str, str]], a: _Run, b: _Run, seed: int) -> Json:
    """The difference of one figure: of the means of the reports, over what both runs have."""
    first: list[Observation] = []
    second: list[Observation] = []
    for key in keys:
        measured = a.figures[key]
        values = _last(measured.figures, name), _last(b.figures[key].figures, name)
        if values[0] is not None and values[1] is not None:
            first.append((measured.cluster, measured.group, values[0]))
            second.append((measured.cluster, measured.group, values[1]))
    if not first:
        return dict.fromkeys(FIELDS) | {"cases": 0}
    low, high = difference_interval(first, second, seed)
    means = grouped_mean(first), grouped_mean(second)
    by_case = mean_differences(first, second)
    return {
        "a": means[0],
        "b": means[1],
        "difference": means[1] - means[0],
        "low": low,
        "high": high,
        "p": wilcoxon_p(by_case),
        "effect": rank_biserial(by_case),
        "cases": len(by_case),
    }


def _last(figure: Mapping[str, Any], name: str) -> float | None:
    """A figure, or the last of a curve."""
    value = figure[name]
    last: float | None = value[-1] if isinstance(value, list) else value
    return last
