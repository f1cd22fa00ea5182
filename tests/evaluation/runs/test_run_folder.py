"""What a run leaves on disk is whole, and is not mixed with another run."""

import json
import os
import subprocess
import sys

import psutil
import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.atomic_write import temporary_path
from napari_medvlm.data.errors import CannotSave, SettingsError
from napari_medvlm.evaluation.runs.provenance import hardware
from napari_medvlm.evaluation.runs.run_folder import RunFolder, alone_in, safe


def test_written_outcomes_are_read_back(tmp_path):
    names = ["a", "b/c", "..", "d e.nii", "ü:*"]
    for name in names:
        RunFolder(tmp_path, {"seed": 1}).keep({"case": name, "n": [1.5]})
    found = RunFolder(tmp_path, {"seed": 1}).done()
    assert set(found) == set(names)
    assert found["b/c"]["n"] == [1.5]
    assert len(list((tmp_path / "cases").iterdir())) == len(names)
    assert all("/" not in safe(name) and not safe(name).startswith("..") for name in names)


def test_half_a_file_is_no_case(tmp_path):
    folder = RunFolder(tmp_path, {})
    folder.keep({"case": "a"})
    (tmp_path / "cases" / "b.json").write_text('{"case": "b", "dice": [0.')
    assert set(folder.done()) == {"a"}


def test_a_file_that_a_killed_run_did_not_rename_is_no_case(tmp_path):
    folder = RunFolder(tmp_path, {"seed": 1})
    folder.keep({"case": "a"})
    (done,) = (tmp_path / "cases").iterdir()
    done.rename(temporary_path(done))
    assert folder.done() == {}


def test_other_settings_are_refused_and_named(tmp_path):
    RunFolder(tmp_path, {"plan": {"interactions": 5, "seed": 1}}).keep({"case": "a"})
    with pytest.raises(SettingsError, match="interactions 5, not 10"):
        RunFolder(tmp_path, {"plan": {"interactions": 10, "seed": 1}})
    assert json.loads((tmp_path / "run.json").read_text())["plan"]["interactions"] == 5


def test_only_what_can_be_extended_may_be_larger(tmp_path):
    RunFolder(tmp_path, {"plan": {"interactions": 5, "seed": 1}}).keep({"case": "a"})
    for plan in ({"interactions": 4, "seed": 1}, {"interactions": 6, "seed": 2}):
        with pytest.raises(SettingsError, match="interactions 5, not"):
            RunFolder(tmp_path, {"plan": plan}, {"interactions"})
    RunFolder(tmp_path, {"plan": {"interactions": 6, "seed": 1}}, {"interactions"})
    assert json.loads((tmp_path / "run.json").read_text())["plan"]["interactions"] == 6


def test_a_folder_in_which_nothing_was_done_takes_other_settings(tmp_path):
    RunFolder(tmp_path, {"structures": ["livr"]})
    RunFolder(tmp_path, {"structures": ["liver"]}).keep({"case": "a"})
    assert json.loads((tmp_path / "run.json").read_text()) == {"structures": ["liver"]}


def test_names_too_long_for_a_file_are_kept_apart(tmp_path):
    names = ["\u809d" * 90 + end for end in "ab"]
    folder = RunFolder(tmp_path, {})
    for name in names:
        folder.keep({"case": name})
    assert set(folder.done()) == set(names)


def test_a_case_that_a_run_lacks_is_reported_in_the_terminal(tmp_path):
    RunFolder(tmp_path, {"task": "segment"}).keep({"case": "head1"})
    done = CliRunner().invoke(app, ["evaluate", "open", str(tmp_path), "head9"])
    assert done.exit_code == 1
    assert "has no case 'head9'" in done.output
    assert "It has, to begin with: head1." in done.output
    done = CliRunner().invoke(app, ["evaluate", "open", str(tmp_path / "none"), "head9"])
    assert "There is no run" in done.output


def test_a_place_that_cannot_be_written_to_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotSave, match="could not be written"):
        RunFolder(tmp_path / "file" / "run", {})


def test_a_folder_is_written_to_by_one_run_at_a_time(tmp_path):
    run = tmp_path / "new"
    with alone_in(run), pytest.raises(CannotSave, match="Another run is") as e, alone_in(run):
        pytest.fail("two runs were let in")
    assert "Wait until it has ended, or choose another folder" in e.value.hint
    with alone_in(tmp_path / "other"), alone_in(run):
        pass


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotSave, match="could not be written"), alone_in(tmp_path / "file" / "x"):
        pytest.fail("there is no folder")


HOLDING = """
import sys
from pathlib import Path
from napari_medvlm.evaluation.runs.run_folder import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_run_gives_its_folder_free(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(CannotSave, match="Another run"), alone_in(tmp_path):
            pytest.fail("two runs were let in")
        process.kill()
    with alone_in(tmp_path):
        pass


def test_a_run_moved_with_its_data_goes_on(tmp_path):
    def settings(root):
        return {"plan": {}, "data": {"images": str(root / "images"), "dataset": "pairs"}}

    before, after = tmp_path / "before", tmp_path / "after"
    source = {"name": "a", "image": str(before / "images" / "a.nii"), "labels": None}
    RunFolder(before / "out", settings(before)).keep({"case": "a", "source": source})
    recorded = json.loads((before / "out" / "run.json").read_text())
    assert recorded["data"] == {"images": "../images", "dataset": "pairs"}
    before.rename(after)
    folder = RunFolder(after / "out", settings(after))
    assert folder.done()["a"]["source"]["image"] == str(after / "images" / "a.nii")


def test_a_run_with_absolute_paths_goes_on(tmp_path):
    settings = {"plan": {}, "data": {"images": str(tmp_path / "images")}}
    RunFolder(tmp_path / "out", settings).keep({"case": "a"})
    (tmp_path / "out" / "run.json").write_text(json.dumps(settings))
    RunFolder(tmp_path / "out", settings)


def test_another_machine_may_go_on_and_is_recorded(tmp_path):
    for cpu in ("A", "B", "A"):
        RunFolder(tmp_path, {"plan": {}, "hardware": [{"cpu": cpu}]}).keep({"case": cpu})
    recorded = json.loads((tmp_path / "run.json").read_text())
    assert recorded["hardware"] == [{"cpu": "A"}, {"cpu": "B"}]


def test_the_hardware_is_that_of_this_machine():
    machine = hardware()
    assert int(machine["cpu_threads"]) == os.cpu_count()
    assert machine["ram"] == f"{psutil.virtual_memory().total / 1e9:.1f} GB"
    assert machine["cpu"]
