"""The command line tells how far the work on a list of cases is."""

import json

from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.sessions.cases.case_store import book_of


def test_cases_counts_the_cases_of_the_dock_without_writing(tmp_path, home):
    for name in "abc":
        (tmp_path / f"{name}.nii.gz").touch()
    arguments = ["cases", str(tmp_path), "--json"]
    fresh = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert fresh["status"] == {"new": 3, "in work": 0, "done": 0, "rejected": 0}
    assert not list(home.iterdir())
    with book_of(tmp_path, lambda *_: None) as book:
        book.open_case("a")
        book.change(lambda known: known.done("a", ["a.nii.gz"]).rejected("b", "blurred"))
        (tmp_path / "c.nii.gz").unlink()
        reported = json.loads(CliRunner().invoke(app, arguments).stdout)
        by_file = json.loads(CliRunner().invoke(app, ["cases", str(book.path), "--json"]).stdout)
    assert reported["status"] == {"new": 1, "in work": 0, "done": 1, "rejected": 1}
    assert (reported["cases"], reported["missing"], reported["current"]) == (3, ["c"], "a")
    assert by_file == reported
    words = CliRunner().invoke(app, ["cases", str(tmp_path)]).stdout
    assert "1 of 3 done, 1 rejected" in words
    assert "Missing: c" in words


def test_cases_states_what_is_wrong(tmp_path):
    (tmp_path / "x.csv").write_text("a\n")
    done = CliRunner().invoke(app, ["cases", str(tmp_path / "x.csv")])
    assert done.exit_code == 1
    assert "no column 'path'" in done.output
