"""Runs that differ in the seed only: means, and their spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.evaluation.metrics.confidence_intervals import (
    Observation,
    grouped_mean,
    interval_by_case,
)
from napari_medvlm.evaluation.runs.run_folder import write_json
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.studies.measured_run import METRICS, MeasuredRun, last_of

Json = dict[str, Any]


def run_seeds(run_plan: Callable[[Plan, Path], Json], plan: Plan, count: int, out: Path) -> Json:
    """Run once for each of ``count`` seeds from the plan's; `over_seeds`, written to ``out``.

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
