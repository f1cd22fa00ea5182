"""Two runs on the same cases: paired differences, with confidence intervals by case.

Runs of all three kinds: segmentation, grounding, answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.summary import figures as grounding_figures
from napari_medvlm.evaluation.metrics.confidence_intervals import interval
from napari_medvlm.evaluation.runs.run_folder import read_json
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import figures

Json = dict[str, Any]
MAY_DIFFER = {"backend", "model", "device"}
"""What two runs may differ in, so that their figures still mean the same."""
METRICS = {
    "segment": (
        *("dice", "iou", "nsd", "hd95_mm"),
        *("noc80", "noc85", "noc90", "dsc_auc", "nsd_auc", "seconds"),
    ),
    "ground": ("iou", "acc30", "acc50", "acc70", "pointing", "seconds"),
    "ask": ("correct", "exact", "f1", "rouge1", "rouge_l", "iou", "error", "refused", "seconds"),
}
"""What is compared, by the kind of run."""
Figures = Iterator[tuple[str, str, Json]]
"""A case, what of it, and its figures."""


def compare(a: Path, b: Path, seed: int = 0) -> Json:
    """How much larger each figure is in the second run than in the first.

    Structures that both runs have of a case are paired. The differences of a case are averaged, so
    that cases, which are independent, and not structures, which are not, are drawn again by the
    bootstrap (BCa, 95 %).

    Returns
    -------
    ``metrics``: for each its means ``a`` and ``b``, ``difference`` with its interval ``low`` to
    ``high``, and over how many ``cases``; Dice, IoU, NSD and HD95 after the last interaction.
    Of grounding and answers: those of each phrase and question, see `ground.summary.figures` and
    `ask.outcomes`. ``unpaired``: what only one of the runs has. An interval is `None` for fewer
    than two cases.

    Raises
    ------
    SettingsError
        If a folder holds no run, or the runs did different things.
    """
    first, second = (_Run(path) for path in (a, b))
    _require_comparable(first, second)
    keys = [key for key in first.figures if key in second.figures]
    if not keys:
        raise SettingsError(
            f"{a} and {b} have no case in common.", "Compare runs on the same data set."
        )
    unpaired = sorted(first.figures.keys() ^ second.figures.keys())
    return {
        "a": str(a),
        "b": str(b),
        "pairs": len(keys),
        "unpaired": [f"{case}: {part}" if part else case for case, part in unpaired],
        "metrics": {
            name: _difference(name, keys, first, second, seed) for name in METRICS[first.task]
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
        self.figures: dict[tuple[str, str], Json] = {}
        for file in sorted((path / "cases").glob("[!.]*.json")):
            content = read_json(file)
            if content is not None:
                figures_of_case = _READERS[self.task](content, self.plan)
                self.figures |= {(case, part): own for case, part, own in figures_of_case}


def _segmented(content: Json, plan: Json) -> Figures:
    content.pop("source", None)
    outcome = Outcome.model_validate(content)
    for attempt in outcome.attempts:
        yield outcome.case, attempt.structure, figures(attempt, Plan.model_validate(plan))


def _grounded(content: Json, plan: Json) -> Figures:
    outcome = Grounded.model_validate(content)
    for phrase in outcome.results:
        own = grounding_figures(phrase) | {"seconds": outcome.seconds}
        yield outcome.case, phrase.phrase, own


def _answered(content: Json, plan: Json) -> Figures:
    outcome = Answered.model_validate(content)
    own = {name: getattr(outcome, name) for name in METRICS["ask"]}
    yield outcome.case, "", own


_READERS: Mapping[str, Callable[[Json, Json], Figures]] = {
    "segment": _segmented,
    "ground": _grounded,
    "ask": _answered,
}


def _require_comparable(a: _Run, b: _Run) -> None:
    kinds = [{"task": run.task, **run.plan} for run in (a, b)]
    first, second = (
        {k: v for k, v in settings.items() if k not in MAY_DIFFER} for settings in kinds
    )
    names = dict.fromkeys((*first, *second))
    differing = [
        f"{n} {first.get(n)}, {second.get(n)}" for n in names if first.get(n) != second.get(n)
    ]
    if differing:
        raise SettingsError(
            f"The runs did different things: {'; '.join(differing)}.",
            "Compare runs that differ in backend, model or device only.",
        )


def _difference(name: str, keys: Sequence[tuple[str, str]], a: _Run, b: _Run, seed: int) -> Json:
    """The difference of one figure, averaged within cases and then over them."""
    by_case: dict[str, list[tuple[float, float]]] = {}
    for key in keys:
        pair = _last(a.figures[key], name), _last(b.figures[key], name)
        if pair[0] is not None and pair[1] is not None:
            by_case.setdefault(key[0], []).append((pair[0], pair[1]))
    means = np.array([np.mean(pairs, axis=0) for pairs in by_case.values()]).reshape(-1, 2)
    if not len(means):
        return dict.fromkeys(("a", "b", "difference", "low", "high")) | {"cases": 0}
    low, high = interval(means[:, 1] - means[:, 0], seed)
    return {
        "a": float(means[:, 0].mean()),
        "b": float(means[:, 1].mean()),
        "difference": float((means[:, 1] - means[:, 0]).mean()),
        "low": low,
        "high": high,
        "cases": len(means),
    }


def _last(figure: Mapping[str, Any], name: str) -> float | None:
    """A figure, or the last of a curve."""
    value = figure[name]
    last: float | None = value[-1] if isinstance(value, list) else value
    return last
