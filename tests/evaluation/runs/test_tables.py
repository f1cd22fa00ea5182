"""Tables of results and means as CSV, Parquet and LaTeX."""

import csv

from pyarrow import parquet

from napari_medvlm.evaluation.runs.tables import latex, write_summary, write_table
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import rows, summary
from tests.evaluation.segment.test_evaluate import outcome


def cases():
    structures = (("left_lung", 0.6), ("aorta", 0.9))
    return [
        outcome(str(number), 0.1, last + number / 100, structure=name)
        for name, last in structures
        for number in range(3)
    ]


def test_results_are_written_as_csv_and_as_parquet(tmp_path):
    table = rows(cases())
    write_table(tmp_path, table)
    with (tmp_path / "results.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    columns = parquet.read_table(tmp_path / "results.parquet").to_pydict()
    assert len(read) == len(columns["case"]) == 12
    assert [float(row["dice"]) for row in read] == columns["dice"]


def test_means_are_a_latex_table_with_intervals(tmp_path):
    means = summary(cases(), [], Plan(interactions=2))
    write_summary(tmp_path, means)
    text = (tmp_path / "summary.tex").read_text()
    assert text == latex(means)
    low, high = means["structures"]["left_lung"]["intervals"]["dice"]
    lines = text.splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrr}"
    assert lines[2] == r" & n & Dice & NSD & HD95 (mm) & NoC@90 \\"
    assert lines[4].startswith(rf"left\_lung & 3 & 0.610 [{low:.3f}, {high:.3f}] & ")
    assert lines[7].startswith("mean & 6 & 0.760 [")
    assert {line.count("&") for line in (lines[2], *lines[4:6], lines[7])} == {5}


def test_means_are_csv_with_the_ends_of_their_intervals(tmp_path):
    means = summary(cases(), [], Plan(interactions=2))
    write_summary(tmp_path, means)
    with (tmp_path / "summary.csv").open(newline="") as file:
        read = {row["group"]: row for row in csv.DictReader(file)}
    assert list(read) == ["left_lung", "aorta", "mean"]
    low, high = means["mean"]["intervals"]["dice"]
    assert (float(read["mean"]["dice_low"]), float(read["mean"]["dice_high"])) == (low, high)
