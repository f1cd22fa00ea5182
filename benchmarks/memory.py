"""Peak memory of a large CT with one object, by model: ``python -m benchmarks.memory``.

The CT has 512 x 512 x 600 voxels of 16 bits, made up. For each family a process of its own opens a
session on it, as a viewer does but without a window, and clicks once; its worker has loaded the
model before. Every 20 ms Linux is asked how much memory of its own each of the two processes has
(``Anonymous`` in ``smaps_rollup``), and how much they share. The models are small ones with random
weights, so that what is seen is the image's share: a full-size network comes on top, and on a
graphics card it is not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.process_runner import WorkerRunner

RESULTS = Path(__file__).parent / "results"
SHAPE = (600, 512, 512)
EVERY_S = 0.02
WAIT_S = 1800.0
FAMILIES = ("embedded", "sam", "sammed3d", "nninteractive")
HEAD = """# Peak memory of a large CT, an array of {array:.0f} MiB

MiB at the peak of one click, small models with random weights, on the processor; in brackets how
much of it came with the image, in sizes of its array. The worker's libraries and model were there
before.

"""
MAKE = """
import sys
from pathlib import Path
from tests.backends import tiny_nninteractive, tiny_sam, tiny_volumes
folder = Path(sys.argv[1])
tiny_sam.checkpoint(folder, "sam")
tiny_volumes.sammed3d(folder / "sammed3d")
tiny_nninteractive.save_nninteractive(folder / "nninteractive")
"""


def made_up(shape: tuple[int, int, int]) -> Volume:
    """A bright ball in noise, made slice by slice so that this costs no memory of note."""
    rng, data = np.random.default_rng(0), np.empty(shape, np.int16)
    centre, radius = np.array(shape) // 2, shape[0] // 12
    y, x = np.ogrid[: shape[1], : shape[2]]
    for z in range(shape[0]):
        data[z] = rng.integers(-120, 80, shape[1:], np.int16)
        across = (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        data[z][across + (z - centre[0]) ** 2 < radius**2] += 250
    return Volume(data, np.diag([1.0, 0.8, 0.8, 1.0]), Modality.CT)


def memory_of(pid: int | None) -> dict[str, float]:
    """What Linux tells of a process's memory, in MiB; nothing if there is none."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}


class Peaks:
    """The largest memory of this process, of a worker, and of what they share, in MiB."""

    def __init__(self, runner: WorkerRunner) -> None:
        self.largest = dict.fromkeys(("viewer", "worker", "shared", "together"), 0.0)
        self._runner, self._over = runner, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def look(self) -> dict[str, float]:
        """The memory now."""
        viewer, worker = memory_of(os.getpid()), memory_of(self._runner.pid)
        now = {
            "viewer": viewer["Anonymous"],
            "worker": worker.get("Anonymous", 0.0),
            "shared": viewer["Pss_Shmem"] + worker.get("Pss_Shmem", 0.0),
        }
        return now | {"together": sum(now.values())}

    def stop(self) -> dict[str, float]:
        """The largest that were seen."""
        self._over.set()
        self._thread.join()
        return self.largest

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            for name, value in self.look().items():
                self.largest[name] = max(self.largest[name], value)


def one_family(backend: str, model: str | None, slices: int) -> dict[str, object]:
    """Memory in MiB before the CT is there and at the peak of a click, and the seconds it took."""
    with WorkerRunner() as runner:
        small = Volume(np.arange(32**3, dtype=np.int16).reshape(32, 32, 32))
        runner.submit(Request(backend, small, model)).wait(WAIT_S)
        peaks = Peaks(runner)
        before = peaks.look()
        volume = made_up((slices, *SHAPE[1:]))
        start = time.perf_counter()
        with SegmentationSession(volume, backend, runner, model=model) as session:
            session.add(Point.at_index(volume, [n // 2 for n in volume.shape]))
            session.wait(WAIT_S)
            voxels = int(session.mask.sum())
        seconds = time.perf_counter() - start
        peak, array = peaks.stop(), volume.data.nbytes / 2**20
    return {
        "array": array,
        "before": before,
        "peak": peak,
        "peak_to_array": {k: (peak[k] - before[k]) / array for k in peak},
        "voxels": voxels,
        "seconds": seconds,
    }


def rounded(value: object) -> object:
    """Figures as they are worth telling."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 2) if isinstance(value, float) else value


def table(reported: dict[str, dict[str, dict[str, float]]]) -> str:
    """The peaks as a table in Markdown: MiB, and above what was there before in arrays."""
    lines = ["| backend | viewer | worker | shared | together |", "|---|---|---|---|---|"]
    for name, figures in reported.items():
        cells = [
            f"{figures['peak'][k]:.0f} ({figures['peak_to_array'][k]:+.1f})"
            for k in ("viewer", "worker", "shared", "together")
        ]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=SHAPE[0])
    parser.add_argument("--only", choices=FAMILIES, help="one family, in this process")
    parser.add_argument("--model", help="the model of that family")
    given = parser.parse_args()
    if given.only:
        print(json.dumps(rounded(one_family(given.only, given.model, given.slices))))
        return
    reported = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_MEDVLM_HOME"] = folder
        subprocess.run([sys.executable, "-c", MAKE, folder], check=True)
        for name in FAMILIES:
            model = [] if name == "embedded" else ["--model", f"{folder}/{name}"]
            command = ["-m", "benchmarks.memory", "--only", name, "--slices", str(given.slices)]
            done = subprocess.run([sys.executable, *command, *model], check=True, stdout=-1)
            reported[name] = json.loads(done.stdout.splitlines()[-1])
    print(table(reported))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.md").write_text(
        HEAD.format(array=reported[FAMILIES[0]]["array"]) + table(reported) + "\n", "utf-8"
    )
    (RESULTS / "memory.json").write_text(json.dumps(reported, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
