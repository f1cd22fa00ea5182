"""Runs the tests, the ones that open windows first and then all others.

No process runs both kinds: OpenGL drawn by the processor (Mesa) and torch's compiler (Triton) each
load an LLVM of their own, and the second one to be loaded crashes the process. Within each kind
pytest-xdist spreads the modules over processes, each with a display of its own where there is Xvfb
(``tests/display.py``). Further arguments go to pytest. The last line is the sum of both runs.

A few tests that fail run once more on an otherwise idle machine. Those that pass then are reported
as unstable: a fault of the test or of the product to be mended, but no reason to stop a release.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

WINDOWS = ("tests/e2e", "tests/widgets")
"""Folders of the tests that open windows."""
PROCESSES = 1 + max(2, min(4, os.cpu_count() or 2))
"""One more than processors: tests wait for servers, workers and windows."""
SUMMARY = re.compile(r"^(=+ )?(?P<counts>\d+ \w+.*) in [\d.]+s")
FAILED = 1
"""Exit status of pytest where a test failed."""
NO_TESTS = 5
"""Exit status of pytest where no test was selected."""
MOST_REPEATED = 5
"""Where more tests than this fail, none runs again."""


def pytest_options() -> dict[str, list[str]]:
    """Arguments of pytest for the two runs, by title."""
    spread = [
        f"--numprocesses={PROCESSES}",
        "--dist=loadfile",
        "--no-loadscope-reorder",
        "--max-worker-restart=4",
        "--durations=12",
    ]
    # Two processes on one desktop would take the focus from each other.
    windows = spread if shutil.which("Xvfb") else []
    others = [f"--ignore={folder}" for folder in WINDOWS]
    return {"windows": [*WINDOWS, *windows], "others": [*others, *spread]}


def run_pytest(arguments: list[str]) -> tuple[int, Counter[str]]:
    """Run pytest and copy its output.

    Returns
    -------
    tuple of int and Counter
        The exit status, and the numbers of pytest's last line: ``{"passed": 12, "failed": 1}``.
    """
    command = [sys.executable, "-m", "pytest", *arguments]
    # Each process, and each program that a test starts, would compile all modules again.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    counts: Counter[str] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        text = b""
        while piece := os.read(process.stdout.fileno(), 4096):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            text = (text + piece)[-4096:]
    for line in text.decode(errors="replace").splitlines():
        if found := SUMMARY.match(re.sub(r"\x1b\[[\d;]*m", "", line)):
            counts = Counter(
                {
                    word.rstrip("s"): int(n)
                    for n, word in re.findall(r"(\d+) (\w+)", found["counts"])
                }
            )
    return process.returncode, counts


def run_failed_again(arguments: list[str], first: Counter[str]) -> tuple[int, Counter[str]]:
    """Run the tests that failed once more, in one process.

    Parameters
    ----------
    arguments : list of str
        Of the run in which they failed.
    first : Counter
        Numbers of that run.

    Returns
    -------
    tuple of int and Counter
        The exit status of the second run, and the numbers of both: a test that passed in the second
        one only is *unstable*.
    """
    print("Tests: those that failed, once more", flush=True)
    single = ["--numprocesses=1"] if any("--numprocesses" in text for text in arguments) else []
    last_failed = ["--last-failed", "--last-failed-no-failures=none", "--verbose"]
    status, second = run_pytest([*arguments, *single, *last_failed])
    counts = Counter(first)
    counts.subtract({"failed": second["passed"], "unstable": -second["passed"]})
    return status, +counts


def main() -> int:
    """Run both kinds.

    Returns
    -------
    int
        The exit status: of the first run that failed, else 0.
    """
    start, failed = time.monotonic(), 0
    total: Counter[str] = Counter()
    for number, (title, options) in enumerate(pytest_options().items()):
        print(f"Tests: {title}", flush=True)
        arguments = [*options, *sys.argv[1:]]
        if number and any(argument.startswith("--cov") for argument in arguments):
            arguments.append("--cov-append")
        status, counts = run_pytest(arguments)
        if status not in (0, NO_TESTS) and not counts:
            print(f"The run of the {title} ended early, with status {status}.", flush=True)
            counts["error"] = 1
        if status == FAILED and 0 < counts["failed"] <= MOST_REPEATED and not counts["error"]:
            status, counts = run_failed_again(arguments, counts)
        total += counts
        failed = failed or (0 if status == NO_TESTS else status)
    seconds = time.monotonic() - start
    shown = ", ".join(f"{number} {word}" for word, number in sorted(total.items())) or "no tests"
    print(f" {shown} in {seconds:.2f}s ({seconds / 60:.1f} min) ".center(80, "="))
    return failed


if __name__ == "__main__":
    sys.exit(main())
