"""Runs that differ in the seed only: means, and their spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.evaluation.metrics.confidence_intervals import (
    Observation,
    grouped_mean,
    interval_by_case,
)
from napari_medvlm.evaluation.runs.run_folder import write_json, write_text
from napari_medvlm.evaluation.runs.tables import COLUMNS, escaped, write_csv
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.studies.measured_run import METRICS, MeasuredRun, last_of

Json = dict[str, Any]
MEAN = "mean"
"""Row of the mean over structures."""


def run_seeds(run_plan: Callable[[Plan, Path], Json], plan: Plan, count: int, out: Path) -> Json:
    """Run once for each of ``count`` seeds from the plan's; write and return `over_seeds`.

    The files in ``out``: ``seeds.json``, ``seeds.csv``, and ``seeds.tex`` for LaTeX.

    Parameters
    ----------
    run_plan
        Runs a plan in a folder, ``out/seed-SEED``.

    Raises
    ------
    MedVLMError
        As ``run_plan``.
    """
    folders = []
    for seed in range(plan.seed, plan.seed + count):
        folders.append(out / f"seed-{seed}")
        run_plan(plan.model_copy(update={"seed": seed}), folders[-1])
    summary = over_seeds(folders)
    write_json(out / "seeds.json", summary)
    rows = list(_rows(summary))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_csv(out / "seeds.csv", columns, rows)
    write_text(out / "seeds.tex", latex(summary))
    return summary


def over_seeds(runs: Sequence[Path]) -> Json:
    """The mean of each metric of segmentation over runs of several seeds, after the last prompt.

    Parameters
    ----------
    runs
        Folders of runs of the same cases.

    Returns
    -------
    ``seeds``, and ``metrics`` and ``structures`` as of `compare.compare`: for each metric its
    ``mean``; ``by_seed``, the mean of each run; ``sd``, their standard deviation (n - 1); and
    ``interval``, 95 %, from a bootstrap (BCa) of cases, each with the values of all seeds.

    Raises
    ------
    SettingsError
        If a folder holds no run.
    """
    measured = [MeasuredRun(path) for path in runs]
    structures = dict.fromkeys(row.part for run in measured for row in run.figures.values())
    return {
        "seeds": [run.plan["seed"] for run in measured],
        "metrics": _spreads(measured, None),
        "structures": {name: _spreads(measured, name) for name in structures},
    }


def latex(summary: Json) -> str:
    """The spread over seeds as a LaTeX ``tabular`` for the package booktabs.

    A row for each structure and one for the mean over structures; each cell has the mean, the
    standard deviation over seeds, and the 95 % interval over cases in brackets.

    Parameters
    ----------
    summary
        Result of `over_seeds`.
    """
    names = COLUMNS["segment"]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(names)}}}", r"\toprule",
        " & ".join(["", *map(escaped, names.values())]) + r" \\", r"\midrule",
    ]  # fmt: skip
    for group, spreads in _groups(summary):
        if group == MEAN:
            lines.append(r"\midrule")
        cells = [_latex_cell(spreads[name]) for name in names]
        lines.append(" & ".join([escaped(group), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_cell(spread: Json) -> str:
    if spread["mean"] is None:
        return "--"
    text = f"{spread['mean']:.3f}"
    if spread["sd"] is not None:
        text += rf" $\pm$ {spread['sd']:.3f}"
    if spread["interval"]:
        low, high = spread["interval"]
        text += f" [{low:.3f}, {high:.3f}]"
    return text


def _groups(summary: Json) -> Iterator[tuple[str, Json]]:
    yield from summary["structures"].items()
    yield MEAN, summary["metrics"]


def _rows(summary: Json) -> Iterator[Json]:
    for group, spreads in _groups(summary):
        for name, spread in spreads.items():
            low, high = spread["interval"] or (None, None)
            row: Json = {"group": group, "metric": name, "mean": spread["mean"], "sd": spread["sd"]}
            row |= {"low": low, "high": high}
            if len(spread["by_seed"]) == len(summary["seeds"]):
                names = [f"seed_{seed}" for seed in summary["seeds"]]
                row |= dict(zip(names, spread["by_seed"], strict=True))
            yield row


def _spreads(runs: Sequence[MeasuredRun], structure: str | None) -> Json:
    return {name: _spread(runs, name, structure) for name in METRICS["segment"]}


def _spread(runs: Sequence[MeasuredRun], name: str, structure: str | None) -> Json:
    by_run = [_observations(run, name, structure) for run in runs]
    everything = [row for rows in by_run for row in rows]
    means = [grouped_mean(rows) for rows in by_run if rows]
    return {
        "mean": float(np.mean(means)) if means else None,
        "sd": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        "by_seed": means,
        "interval": interval_by_case(everything),
    }


def _observations(run: MeasuredRun, name: str, structure: str | None) -> list[Observation]:
    rows = [row for row in run.figures.values() if structure in (None, row.part)]
    values = [(row.cluster, row.group, last_of(row.figures, name)) for row in rows]
    return [(case, group, value) for case, group, value in values if value is not None]
