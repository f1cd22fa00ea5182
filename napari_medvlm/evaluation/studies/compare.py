"""Two runs on the same cases: paired differences, with confidence intervals by case or image.

Runs of all three kinds: segmentation, grounding, answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.evaluation.metrics.confidence_intervals import (
    Observation,
    difference_interval,
    grouped_mean,
    mean_differences,
)
from napari_medvlm.evaluation.metrics.paired_tests import (
    cohen_d,
    holm,
    permutation_p,
    rank_biserial,
    wilcoxon_p,
)
from napari_medvlm.evaluation.segment.plan import stated_settings
from napari_medvlm.evaluation.studies.measured_run import METRICS, MeasuredRun, last_of
from napari_medvlm.evaluation.studies.strata import Columns, groups_of, stored_columns

Json = dict[str, Any]
Key = tuple[str, str]
FIELDS = ("a", "b", "difference", "low", "high", "p", "effect", "p_permutation", "d")
NOC = ("noc80", "noc85", "noc90")
AUC = ("dsc_auc", "nsd_auc")
DEPENDS = {
    "tolerance_mm": ("nsd", "nsd_auc"),
    "interactions": (*NOC, *AUC),
    "first_prompt": AUC,
}
"""Metrics that mean something else where a setting differs, which are not compared then."""


def compare(a: Path, b: Path, seed: int = 0, columns: Columns | None = None) -> Json:
    """How much larger each figure is in the second run than in the first.

    Structures, phrases and questions that both runs have are paired. Means are those of the
    reports: over structures, each a mean over its cases; over phrases; over questions. The
    bootstrap (BCa, 95 %) resamples what is independent, as the reports do: cases, and of questions
    their images.

    Parameters
    ----------
    columns
        Groups of cases to compare by, see `strata.read_columns`; by default those of the first run.

    Returns
    -------
    ``metrics``: for each its means ``a`` and ``b``, ``difference`` with its interval ``low`` to
    ``high``, and over how many ``cases`` (of questions: images); Dice, IoU, NSD and HD95 after the
    last interaction. Of grounding and answers: those of each phrase and question, see
    `ground.summary.figures` and `ask.summary.figures`. ``p`` is of the Wilcoxon signed-rank test
    of the mean differences of cases, ``p_holm`` adjusted for the number of metrics (without
    ``seconds``), ``effect`` the rank-biserial correlation; ``p_permutation`` is of the paired
    permutation test of the same differences, ``p_permutation_holm`` adjusted likewise, ``d``
    Cohen's d_z. ``structures``, of segmentation, and ``strata``, by column and group: the same for
    each. ``settings``: those that differ, with both values; ``omitted``: metrics
    that mean something else under them. ``unpaired``: what only one of the runs has. An interval is
    `None` for fewer than two cases.

    Raises
    ------
    SettingsError
        If a folder holds no run, or the runs are of different tasks, or have no case in common.
    """
    first, second = (MeasuredRun(path) for path in (a, b))
    _require_comparable(first, second)
    keys = [key for key in first.figures if key in second.figures]
    if not keys:
        raise SettingsError(
            f"{a} and {b} have no case in common.", "Compare runs on the same data set."
        )
    settings = _differing_settings(first, second)
    omitted = {name for setting in settings for name in DEPENDS.get(setting, ())}
    names = [name for name in METRICS[first.task] if name not in omitted]
    unpaired = sorted(first.figures.keys() ^ second.figures.keys())

    differences = partial(_differences, names, a=first, b=second, seed=seed)
    return {
        "a": str(a),
        "b": str(b),
        "pairs": len(keys),
        "unpaired": [f"{case}: {part}" if part else case for case, part in unpaired],
        "settings": settings,
        "omitted": sorted(omitted),
        "metrics": differences(keys),
        "structures": {part: differences(own) for part, own in _by_structure(first, keys).items()},
        "strata": {
            column: {name: differences(own) for name, own in groups.items()}
            for column, groups in _by_stratum(first, keys, columns).items()
        },
    }


def _by_structure(run: MeasuredRun, keys: Sequence[Key]) -> dict[str, list[Key]]:
    parts: dict[str, list[Key]] = {}
    for key in keys if run.task == "segment" else ():
        parts.setdefault(key[1], []).append(key)
    return parts


def _by_stratum(
    run: MeasuredRun, keys: Sequence[Key], columns: Columns | None
) -> dict[str, dict[str, list[Key]]]:
    sizes = {key: run.figures[key].size_ml for key in keys}
    strata: dict[str, dict[str, list[Key]]] = {}
    own_columns = stored_columns(run.folders[0]) if columns is None else columns
    for group in groups_of(sizes, own_columns):
        own = [key for key in keys if key in group.keys]
        strata.setdefault(group.column, {})[group.name] = own
    return strata


def _require_comparable(a: MeasuredRun, b: MeasuredRun) -> None:
    if a.task != b.task:
        raise SettingsError(
            f"The runs did different things: task {a.task}, {b.task}.",
            "Compare two runs of 'segment', of 'ground' or of 'ask'.",
        )


def _differing_settings(a: MeasuredRun, b: MeasuredRun) -> dict[str, list[Any]]:
    """The settings that differ; a run of masks has none of models and prompts."""
    plans = [stated_settings(run.plan) for run in (a, b)]
    names = list(dict.fromkeys((*plans[0], *plans[1])))
    if a.is_of_masks or b.is_of_masks:
        names = [name for name in names if all(name in plan for plan in plans)]
    pairs = {name: [plan.get(name) for plan in plans] for name in names}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def _differences(
    names: Sequence[str], keys: Sequence[Key], a: MeasuredRun, b: MeasuredRun, seed: int
) -> Json:
    """The difference of each figure, with p-values adjusted for their number."""
    metrics = {name: _difference(name, keys, a, b, seed) for name in names}
    for p in ("p", "p_permutation"):
        adjusted = holm({name: row[p] for name, row in metrics.items() if name != "seconds"})
        for name, row in metrics.items():
            row[f"{p}_holm"] = adjusted.get(name)
    return metrics


def _difference(name: str, keys: Sequence[Key], a: MeasuredRun, b: MeasuredRun, seed: int) -> Json:
    """The difference of one figure: of the means of the reports, over what both runs have."""
    first: list[Observation] = []
    second: list[Observation] = []
    for key in keys:
        measured = a.figures[key]
        values = last_of(measured.figures, name), last_of(b.figures[key].figures, name)
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
        "p_permutation": permutation_p(by_case, seed),
        "d": cohen_d(by_case),
        "cases": len(by_case),
    }
