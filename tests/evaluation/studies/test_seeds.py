"""Means and spreads over runs of several seeds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.cli.evaluate_lines import seed_lines
from napari_medvlm.evaluation.studies.seeds import latex, over_seeds
from tests.evaluation.segment import data_sets
from tests.evaluation.segment.conftest import segment_options
from tests.evaluation.studies.test_compare import write_run
from tests.evaluation.text_runs import evaluate


def test_the_spread_over_seeds_is_that_of_the_means_of_runs(tmp_path):
    dice = ({"x": 0.5, "y": 0.7}, {"x": 0.6, "y": 0.9}, {"x": 0.4, "y": 0.8})
    runs = [write_run(tmp_path / str(n), cases, seed=n) for n, cases in enumerate(dice)]
    found = over_seeds(runs)
    assert found["seeds"] == [0, 1, 2]
    spread = found["metrics"]["dice"]
    assert spread["by_seed"] == pytest.approx([0.6, 0.75, 0.6])
    assert spread["mean"] == pytest.approx(0.65)
    assert spread["sd"] == pytest.approx(np.std([0.6, 0.75, 0.6], ddof=1))
    low, high = spread["interval"]
    assert 0.5 - 1e-9 <= low < 0.65 < high <= 0.8 + 1e-9, "the means of x and of y"
    assert found["structures"]["a"]["dice"] == spread


def test_the_command_runs_a_seed_in_each_folder(tmp_path):
    data_sets.write_pairs(tmp_path, 1)
    options = ("--seeds", 2, "--seed", 7, "--structure", "2")
    printed = evaluate(*segment_options(tmp_path, tmp_path / "out", *options))
    assert printed["seeds"] == [7, 8]
    assert printed == json.loads((tmp_path / "out" / "seeds.json").read_text())
    means = [
        json.loads((tmp_path / "out" / f"seed-{n}" / "summary.json").read_text())["mean"]["dice"]
        for n in (7, 8)
    ]
    assert printed["metrics"]["dice"]["by_seed"] == pytest.approx([mean[-1] for mean in means])
    with (tmp_path / "out" / "seeds.csv").open(newline="") as file:
        rows = {(row["group"], row["metric"]): row for row in csv.DictReader(file)}
    dice = printed["metrics"]["dice"]
    assert float(rows["mean", "dice"]["seed_8"]) == pytest.approx(dice["by_seed"][1])
    assert (tmp_path / "out" / "seeds.tex").read_text() == latex(printed)
    paths = [
        line for line in seed_lines(printed, tmp_path / "out").splitlines() if "Dice" not in line
    ]
    assert len(paths) == 6
    assert all(Path(path).is_file() for path in paths[1:])


def test_the_table_for_latex_has_mean_deviation_and_interval(tmp_path):
    runs = [write_run(tmp_path / str(n), {"x": 0.4 + n / 10}, seed=n) for n in range(2)]
    lines = latex(over_seeds(runs)).splitlines()
    dice = {line.split(" & ")[0]: line.split(" & ")[1] for line in lines if " & " in line}
    assert dice == {"": "Dice", "a": r"0.450 $\pm$ 0.071", "mean": r"0.450 $\pm$ 0.071"}
