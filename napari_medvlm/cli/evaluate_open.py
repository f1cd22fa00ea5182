"""``evaluate open``: a case of a run in a window of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.output import report_errors
from napari_medvlm.data.errors import BackendUnavailable, SessionFileError
from napari_medvlm.data.text import did_you_mean


def open_case(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    case: Annotated[str, typer.Argument(help="Name of the case.")],
    what: Annotated[str, typer.Argument(help="Structure or phrase; default: the first.")] = "",
) -> None:
    """Open a case of a run in napari, next to the ground truth.

    Shows the simulated prompts of a segmentation, the regions of a phrase, or the correct answer
    and the model's answer to a question. Prompts added there are not stored.
    """
    from napari_medvlm.evaluation.runs.run_folder import case_of
    from napari_medvlm.io.journal_files import SESSIONS
    from napari_medvlm.worker.process import variables

    with report_errors():  # report in the terminal before a window opens
        _require_part(case_of(run, case), what)
        _require_display(os.environ)
    viewer = [sys.executable, "-m", "napari_medvlm.widgets.evaluate.open_case"]
    with tempfile.TemporaryDirectory() as sessions:
        environment = {**variables(viewer[0]), SESSIONS: sessions}
        status = run_child([*viewer, str(run), case, what], environment)
    raise typer.Exit(status)


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program until it ends; its exit status. A SIGTERM of this process ends it too."""
    with subprocess.Popen(command, env=environment) as child:
        previous = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            return child.wait()
        finally:
            signal.signal(signal.SIGTERM, previous)


def _require_part(content: Mapping[str, Any], what: str) -> None:
    """Raise `SessionFileError` unless a case has that structure or phrase, if one is named."""
    names = [row["structure"] for row in content.get("attempts", ())]
    names += [row["phrase"] for row in content.get("results", ())]
    if what and what not in names:
        raise SessionFileError(
            f"The case {content['case']!r} has no {what!r}.",
            f"{did_you_mean(what, names)}It has: {', '.join(names)}."
            if names
            else "Name the case only.",
        )


def _require_display(environment: Mapping[str, str]) -> None:
    """Raise `BackendUnavailable` on a Linux without a display."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(map(environment.get, names)):
        raise BackendUnavailable(
            "There is no display to open a window on.",
            "Log in with a desktop or with 'ssh -X', or start it with xvfb-run.",
        )
