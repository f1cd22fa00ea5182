"""The script that runs all tests: what its last line and its exit status say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "run_tests.py"
PASSES = "def test_passes():\n    pass\n"
FAILS = "def test_fails():\n    assert 1 == 2\n"
UNSTABLE = """
from pathlib import Path
MARK = Path(__file__).with_suffix(".ran")
def test_passes_the_second_time():
    ran_before = MARK.exists()
    MARK.touch()
    assert ran_before
"""


def run(folder: Path, windows: str, others: str) -> tuple[int, str]:
    """The exit status and the last line of the script in a folder with two test modules."""
    for path, code in (("tests/e2e/test_window.py", windows), ("tests/test_other.py", others)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code)
    (folder / "tests" / "widgets").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    command = [sys.executable, str(SCRIPT), "-p", "xdist.plugin", "--import-mode=importlib"]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # quicker without napari's
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=bare
    )
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("windows", "others", "status", "counts"),
    [
        (UNSTABLE, PASSES, 0, " 1 passed, 1 unstable in "),
        (FAILS, UNSTABLE + PASSES, 1, " 1 failed, 1 passed, 1 unstable in "),
        (PASSES, "import nothing_of_this_name\n", 1, " 1 error, 1 passed in "),
    ],
)
def test_only_what_fails_twice_fails(
    tmp_path: Path, windows: str, others: str, status: int, counts: str
) -> None:
    code, last_line = run(tmp_path, windows, others)
    assert counts in last_line
    assert code == status
