"""When a session of nnInteractive was called for a point, in whatever process it lives.

The moments are those of `time.perf_counter`, whose clock all processes of a computer share.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WORKER = "napari_medvlm.worker.host"
AT_START = """
import sys
if {worker!r} in sys.orig_argv:
    from benchmarks.session_calls import note
    note({file!r})
"""
"""What a worker's Python runs before all else."""


def note(file: str) -> None:
    """Write down when each call of this process starts and ends, a line for each."""
    from nnInteractive.inference.inference_session import nnInteractiveInferenceSession as Session

    add = Session.add_point_interaction

    def timed(self: Any, *args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        changed = add(self, *args, **options)
        end = time.perf_counter()
        with Path(file).open("a") as lines:
            lines.write(f"{start} {end}\n")
        return changed

    Session.add_point_interaction = timed


@contextmanager
def noted_in_workers(file: str, folder: str) -> Iterator[None]:
    """The workers that are started meanwhile write down their calls.

    Parameters
    ----------
    folder
        A folder that is there for nothing else.
    """
    start = AT_START.format(worker=WORKER, file=file)
    Path(folder, "sitecustomize.py").write_text(start)
    before = os.environ.get("PYTHONPATH", "")
    here = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, here, before)))
    yield
    os.environ["PYTHONPATH"] = before


def calls(file: str) -> list[tuple[float, float]]:
    """Start and end of each call, in seconds."""
    lines = Path(file).read_text().splitlines() if Path(file).exists() else []
    return [(float(start), float(end)) for start, end in (line.split() for line in lines)]
