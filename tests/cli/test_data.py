"""``data``: what is stored, and deleting it."""

import json

import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app

run = CliRunner().invoke


@pytest.fixture
def stored(home):
    (home / "sessions" / "ground").mkdir(parents=True)
    (home / "sessions" / "ground" / "a.jsonl").write_bytes(b"x" * 700)
    (home / "phrases.txt").write_text("liver")
    (home / "models.json").write_text("[]")
    (home / "holiday.png").write_text("of the user")
    return home


def test_the_folder_and_its_parts_are_shown(stored):
    shown = json.loads(run(app, ["data", "show", "--json"]).stdout)
    assert shown["folder"] == str(stored)
    assert shown["parts"]["sessions"]["bytes"] == 700
    assert shown["parts"]["phrases"]["bytes"] == 5
    assert "pacs: 0.0 MB" in run(app, ["data", "show"]).stdout


def test_a_part_is_deleted_after_confirmation(stored):
    assert run(app, ["data", "clear", "sessions"], input="n\n").exit_code == 1
    assert (stored / "sessions").exists()
    done = run(app, ["data", "clear", "sessions", "--yes", "--json"])
    assert json.loads(done.stdout) == {"deleted": {"sessions": 700}}
    assert not (stored / "sessions").exists()
    assert (stored / "phrases.txt").exists()


def test_all_parts_are_deleted_and_other_files_stay(stored):
    assert run(app, ["data", "clear", "--all", "-y"]).exit_code == 0
    assert [path.name for path in stored.iterdir()] == ["holiday.png"]


def test_a_part_that_is_not_known_is_refused(stored):
    done = run(app, ["data", "clear", "session", "--yes"])
    assert done.exit_code == 1
    assert "Did you mean sessions?" in done.stderr
    assert run(app, ["data", "clear"]).exit_code == 2
