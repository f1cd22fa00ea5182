"""The first mask of clicks anywhere in a structure: ``python -m benchmarks.interior_clicks``.

``--cases FOLDER``: the image and label pairs of a folder; ``--phantoms FIRST STOP``: the phantoms
of these seeds; ``--mni``: the structures of the MNI152 brain at 2 mm. The clicks are drawn from all
voxels of the truth, by a seed, or with ``--outside`` from those just outside it. Printed are the
mean Dice and the share of masks below 0.2.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.click_choice import KINDS_OF_CLICKS, just_outside
from benchmarks.lesions import cases
from benchmarks.methods import Embedded, Joined, Method
from benchmarks.tasks import Task, quick_tasks
from napari_medvlm.evaluation.metrics.segmentation import dice
from napari_medvlm.evaluation.segment.simulated_user import Click

FAILED = 0.2
"""A mask with a lower Dice is of another thing than the structure."""


def first_masks(
    method: type[Method], task: Task, count: int, seed: int = 0, outside: bool = False
) -> np.ndarray:
    """Dice ``(count,)`` of the first masks, and seconds of CPU time ``(count,)``, as two rows."""
    segmenter = method(task.volume)
    voxels = np.argwhere(just_outside(task.truth) if outside else task.truth)
    order = np.random.default_rng(seed).permutation(len(voxels))[:count]
    rows = []
    for z, y, x in voxels[order].tolist():
        began = time.process_time()
        mask = segmenter.segment([Click((z, y, x), True)])
        rows.append((dice(mask, task.truth), time.process_time() - began))
    return np.array(rows).T


def phantoms(seeds: range) -> Iterator[Task]:
    """The phantoms of all kinds that `benchmarks.choice` uses."""
    for seed in seeds:
        for kind in KINDS_OF_CLICKS:
            volume, truth = kind(seed)
            if truth.any():
                yield Task(f"{kind.__name__} {seed}", volume, truth)


def report(tasks: Iterable[Task], method: type[Method], count: int, outside: bool = False) -> str:
    """A markdown table: a row per structure, then all clicks."""
    lines = ["| structure | clicks | mean Dice | below 0.2 | CPU s median | CPU s max |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    measured = []
    for task in tasks:
        measured.append(first_masks(method, task, count, outside=outside))
        lines.append(_row(task.name, measured[-1]))
        print(lines[-1], flush=True)
    lines.append(_row("**all**", np.concatenate(measured, axis=1)))
    return "\n".join(lines)


def _row(name: str, measured: np.ndarray) -> str:
    scores, seconds = measured
    return (
        f"| {name} | {len(scores)} | {scores.mean():.3f} | {np.mean(scores < FAILED):.3f} "
        f"| {np.median(seconds):.2f} | {seconds.max():.2f} |"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--phantoms", type=int, nargs=2, metavar=("FIRST", "STOP"))
    parser.add_argument("--mni", action="store_true")
    parser.add_argument("--joined", action="store_true", help="the backend click-network")
    parser.add_argument("--outside", action="store_true", help="one or two voxels from it")
    parser.add_argument("--clicks", type=int, default=12, help="per structure")
    chosen = parser.parse_args()
    tasks: list[Task] = []
    tasks += cases(chosen.cases) if chosen.cases else []
    tasks += phantoms(range(*chosen.phantoms)) if chosen.phantoms else []
    tasks += quick_tasks() if chosen.mni else []
    method = Joined if chosen.joined else Embedded
    print(report(tasks, method, chosen.clicks, chosen.outside).splitlines()[-1])


if __name__ == "__main__":
    main()
