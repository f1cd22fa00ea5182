"""The page of a comparison shows both curves and the tests, and comes with files for a paper."""

import csv
import json
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.evaluation.studies.compare import compare
from napari_medvlm.evaluation.studies.compare_report import labels_of, latex
from tests.evaluation.segment.test_report import Page
from tests.evaluation.studies.test_compare import answered, write_answers, write_run


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A comparison of two runs with other seeds: the folder, the runs and what was printed."""
    root = tmp_path_factory.mktemp("study")
    first = {f"case {n}": 0.4 + 0.05 * n for n in range(8)}
    second = {case: dice + 0.01 * (n + 1) for n, (case, dice) in enumerate(first.items())}
    runs = write_run(root / "a", first), write_run(root / "b", second, seed=7)
    table = root / "cases.csv"
    table.write_text("case,scanner\n" + "".join(f"case {n},{'AB'[n % 2]}\n" for n in range(8)))
    options = ("--out", str(root / "out"), "--case-table", str(table))
    done = CliRunner().invoke(app, ["evaluate", "compare", *map(str, runs), *options])
    assert done.exit_code == 0, done.output
    return root / "out", runs, done.stdout


def test_the_page_shows_settings_differences_strata_and_pairs(written):
    out, runs, printed = written
    page = Page((out / "compare.html").read_text("utf-8"))
    dice = compare(*runs)["metrics"]["dice"]
    assert "seed 42 7" in page.text
    assert f"{dice['difference']:+.3f} {dice['low']:+.3f} to {dice['high']:+.3f}" in page.text
    assert "By scanner" in page.text
    assert "svg" in page.tags
    for link in page.links:
        if not link.startswith("#"):
            assert (out / link).is_file(), link
    assert str(out / "compare.html") in printed


def test_the_tests_of_eight_equal_signs_are_worked_by_arithmetic(written):
    dice = compare(*written[1])["metrics"]["dice"]
    assert dice["p"] == pytest.approx(2 / 2**8), "all differences have one sign"
    assert dice["p_permutation"] == pytest.approx(2 / 2**8), "256 ways to flip signs"
    assert dice["d"] == pytest.approx(0.045 / 0.02449489743), "mean and SD of 0.01 ... 0.08"
    assert dice["effect"] == 1


def test_tables_of_differences_are_csv_and_latex(written):
    out, runs, _ = written
    with (out / "differences.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    dice = next(row for row in rows if row["group"] == "all" and row["metric"] == "dice")
    assert float(dice["difference"]) == pytest.approx(0.045)
    assert {row["group"] for row in rows} == {"all", "scanner: A", "scanner: B"}
    text = (out / "differences.tex").read_text()
    comparison = json.loads((out / "compare.json").read_text())
    assert text == latex(comparison, ("a", "b"))
    assert r" & a & b & b $-$ a [95\,\%] & " in text
    assert text.count(r"\begin") == text.count(r"\end") == 1
    columns = {line.count("&") for line in text.splitlines() if "&" in line}
    assert columns == {7}


def test_the_figure_has_the_curves_of_both_runs(written):
    svg = ElementTree.parse(written[0] / "curves.svg").getroot()
    texts = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"a", "b", "Dice", "NSD (surface Dice)"} <= texts
    assert (written[0] / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_runs_of_answers_have_a_page_too(tmp_path):
    for name, right in (("a", 8), ("b", 12)):
        write_answers(tmp_path / name, answered(12, right, 5))
    arguments = [str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["evaluate", "compare", *arguments])
    assert done.exit_code == 0, done.output
    page = Page((tmp_path / "out" / "compare.html").read_text("utf-8"))
    assert "Accuracy 3 0.667 1.000" in page.text
    assert (tmp_path / "out" / "pairs.pdf").is_file()


def test_names_of_runs_are_the_ends_of_their_paths_that_differ(tmp_path):
    assert labels_of(tmp_path / "x" / "seed-1", tmp_path / "y" / "seed-1") == (
        "x/seed-1",
        "y/seed-1",
    )
    assert labels_of(tmp_path / "box", tmp_path / "point") == ("box", "point")
