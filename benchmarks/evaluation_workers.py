"""How much faster an evaluation is with two workers than with one, and whether they find the same.

``python -m benchmarks.evaluation_workers [--cases 24] [--repeats 3] [--workers 2]`` on a quiet
machine. The simulated user segments grey and white matter of the MNI152 head (4 mm) with different
noise, by the embedded backend. Runs with one and with several workers take turns; the ratio of the
medians of their wall times counts. Beside it stands the CPU time of all processes: where several
workers need more of it than one, they are in each other's way; where one already keeps more than
one processor busy, several cannot be that many times faster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from benchmarks.tasks import mni_maps
from napari_medvlm.data.geometry.frames import ras_matrix

RESULTS = Path(__file__).parent / "results"
RESOLUTION_MM = 4


def write_heads(folder: Path, number: int) -> None:
    """Heads with more and more noise, and their labels."""
    volume, maps = mni_maps(RESOLUTION_MM)
    affine = ras_matrix(volume.affine)
    white, grey = maps["white"] > 0.5, maps["grey"] > 0.5
    labels = np.where(white, 2, np.where(grey, 1, 0)).astype(np.uint8)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for case in range(number):
        random = np.random.default_rng(case)
        noise = 0.1 * case / number * volume.range[1]
        noisy = volume.data + random.normal(0, noise, volume.shape)
        for name, data in (("images", noisy.astype(np.float32)), ("labels", labels)):
            image = nibabel.Nifti1Image(data.T, affine)
            nibabel.save(image, folder / name / f"head{case:02d}.nii.gz")


def evaluated(folder: Path, out: Path, workers: int, interactions: int) -> tuple[float, float]:
    """Wall and CPU seconds of a run, with everything that belongs to it."""
    command = "from napari_medvlm.cli import app; app()"
    arguments = (
        *("--images", folder / "images", "--labels", folder / "labels", "--out", out),
        *("--interactions", interactions, "--workers", workers, "--json"),
    )
    before, start = _cpu_seconds(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", command, "evaluate", "segment", *map(str, arguments)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - start, _cpu_seconds() - before


def _cpu_seconds() -> float:
    """Of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def found(out: Path) -> dict[str, Any]:
    """What came of each case, without times."""
    cases = {}
    for path in sorted((out / "cases").glob("[!.]*.json")):
        content = json.loads(path.read_text("utf-8"))
        for attempt in content["attempts"]:
            attempt.pop("memory_mib")
            for step in attempt["steps"]:
                step.pop("seconds")
        cases[path.name] = content
    return cases


def main() -> None:
    """Run in turns, and tell."""
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=24)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--interactions", type=int, default=10)
    given = options.parse_args()
    times: dict[int, list[tuple[float, float]]] = {1: [], given.workers: []}
    same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_heads(folder, given.cases)
        first: dict[str, Any] | None = None
        for repeat in range(given.repeats):
            for number in times:
                out = folder / f"run-{repeat}-{number}"
                times[number].append(evaluated(folder, out, number, given.interactions))
                first = found(out) if first is None else first
                same = same and found(out) == first
                wall, cpu = times[number][-1]
                print(f"{number} worker(s): {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)
    walls, cpus = (
        {n: statistics.median(t[k] for t in each) for n, each in times.items()} for k in (0, 1)
    )
    reported = {
        "cases": given.cases, "repeats": given.repeats, "interactions": given.interactions,
        "processors": os.cpu_count(), "wall_s": walls, "cpu_s": cpus,
        "busy_processors_of_one": cpus[1] / walls[1],
        "times_faster": walls[1] / walls[given.workers], "same": same,
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "evaluation_workers.json").write_text(json.dumps(reported, indent=1) + "\n", "utf-8")
    print(f"{given.workers} workers are {reported['times_faster']:.2f} times as fast as one; "
          f"{'the same' if same else 'OTHER'} results")  # fmt: skip


if __name__ == "__main__":
    main()
