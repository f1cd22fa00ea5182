"""`evaluate open` reports what is wrong before a window opens, and ends its window."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.evaluation.runs.run_folder import RunFolder
from napari_medvlm.io.journal_files import SESSIONS, journal_folder

PARENT = """
import os, sys
from napari_medvlm.cli.evaluate_open import run_child
child = "import os; print(os.getpid(), flush=True); input()"
sys.exit(run_child([sys.executable, "-c", child], os.environ))
"""


@pytest.fixture
def run(tmp_path):
    attempt = {"structure": "left lung", "steps": []}
    RunFolder(tmp_path, {"task": "segment"}).keep({"case": "a", "attempts": [attempt]})
    return tmp_path


def opened(*arguments):
    done = CliRunner().invoke(app, ["evaluate", "open", *map(str, arguments)])
    return done.exit_code, " ".join(done.output.split())


def test_a_structure_that_a_case_lacks_is_reported_in_the_terminal(run):
    status, output = opened(run, "a", "left lnug")
    assert status == 1
    assert "has no 'left lnug'" in output
    assert "Did you mean left lung?" in output


def test_the_folder_of_several_seeds_names_those_of_its_runs(tmp_path):
    for seed in (43, 42):
        RunFolder(tmp_path / f"seed-{seed}", {"task": "segment"})
    status, output = opened(tmp_path, "a")
    assert status == 1
    assert "Give the folder of a seed: seed-42, seed-43." in output


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 and Wayland are Linux's")
def test_a_computer_without_a_display_is_reported_in_a_sentence(run, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    status, output = opened(run, "a", "left lung")
    assert status == 1
    assert "no display" in output


def test_a_terminated_command_ends_its_window():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs([child], timeout=120)
        assert not alive
        parent.communicate()
    assert parent.returncode != 0


def test_sessions_of_the_window_go_to_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv(SESSIONS, str(tmp_path))
    assert journal_folder() == tmp_path
    assert journal_folder("ask") == tmp_path / "ask"
