"""How many clicks a structure takes: ``python -m benchmarks.clicks [--quick] [--unseen]``.

With ``--cases FOLDER``, the image and label pairs of a folder (see `benchmarks.lesions`); with
``--phantoms FIRST STOP``, the phantoms of these seeds by the backends alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import lesions
from benchmarks.methods import Confidence, Embedded, Growing, Joined, Method, RandomWalker
from benchmarks.tasks import Task, all_tasks, quick_tasks, unseen_tasks
from benchmarks.user import dice, next_click

CLICKS = 10
RESULTS = Path(__file__).parent / "results"
TOLERANCES = (0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3)


@dataclass(frozen=True)
class Run:
    """One structure by one method: Dice after each click, and seconds for each."""

    task: str
    method: str
    dice: list[float]
    seconds: list[float]

    def clicks_to(self, wanted: float) -> int:
        """The first click with that Dice; one more than were made if there is none."""
        return next((k for k, d in enumerate(self.dice, 1) if d >= wanted), CLICKS + 1)


def run(method: type[Method], task: Task) -> Run:
    """Click until the mask is perfect or the clicks are used up."""
    segmenter = method(task.volume)
    mask = np.zeros(task.truth.shape, bool)
    clicks, scores, seconds = [], [], []
    for _ in range(CLICKS):
        click = next_click(task.truth, mask, task.volume.spacing)
        if click is None:
            scores.append(1.0)
            continue
        clicks.append(click)
        began = time.perf_counter()
        mask = segmenter.segment(clicks)
        seconds.append(time.perf_counter() - began)
        scores.append(dice(mask, task.truth))
    return Run(task.name, method.name, scores, seconds)


def best_tolerance(tasks: list[Task]) -> float:
    """The tolerance with which region growing needs the fewest clicks on the mean over tasks."""

    def clicks_needed(tolerance: float) -> tuple[float, float]:
        Growing.tolerance = tolerance
        runs = [run(Growing, task) for task in tasks]
        reached = [r.clicks_to(0.85) + r.clicks_to(0.9) for r in runs]
        return float(np.mean(reached)), -float(np.mean([r.dice[-1] for r in runs]))

    return min(TOLERANCES, key=clicks_needed)


def table(runs: Iterable[Run]) -> str:
    """A markdown table: a row for each structure and method, then the means of each method."""
    runs = list(runs)
    head = "structure | method | Dice 1 | 3 | 5 | 10 | to 0.85 | to 0.90 | s median | s max"
    rows = [head, "|".join(["---", "---", *["---:"] * 8])]
    rows += [_row(r.task, r.method, [r]) for r in runs]
    rows += [
        _row("**mean**", f"**{m}**", [r for r in runs if r.method == m])
        for m in dict.fromkeys(r.method for r in runs)
    ]
    return "\n".join(f"| {row.replace('|', ' | ')} |" for row in rows)


def _row(task: str, method: str, runs: list[Run]) -> str:
    scores = [f"{np.mean([r.dice[k - 1] for r in runs]):.3f}" for k in (1, 3, 5, 10)]
    reached = [np.mean([r.clicks_to(d) for r in runs]) for d in (0.85, 0.9)]
    seconds = [s for r in runs for s in r.seconds]
    cells = [task, method, *scores, *(f"{c:.3g}" for c in reached)]
    return "|".join([*cells, f"{np.median(seconds):.2f}", f"{max(seconds):.2f}"])


def main() -> None:
    """Run all methods on all structures; print the table and write it to ``results``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the brain at 2 mm, fewer structures")
    parser.add_argument("--unseen", action="store_true", help="variants that nothing was tuned on")
    parser.add_argument("--ours", action="store_true", help="without the other methods")
    parser.add_argument("--cases", type=Path, help="a folder of image and label pairs")
    parser.add_argument(
        "--phantoms", type=int, nargs=2, help="seeds: the first, and one past the last"
    )
    chosen = parser.parse_args()
    if chosen.phantoms is not None:
        tasks = list(lesions.phantoms(range(*chosen.phantoms)))
        (RESULTS / "phantoms.md").write_text(lesions.report(tasks, (Embedded, Joined)) + "\n")
        return
    if chosen.cases is not None:
        (RESULTS / "lesions.md").write_text(
            lesions.report(list(lesions.cases(chosen.cases))) + "\n"
        )
        return
    kind = "quick" if chosen.quick else "unseen" if chosen.unseen else "full"
    tasks = {"quick": quick_tasks, "unseen": unseen_tasks, "full": all_tasks}[kind]()
    methods: list[type[Method]] = [Embedded]
    if not chosen.ours:
        Growing.tolerance = best_tolerance(tasks)
        Growing.name = f"region growing (best: {Growing.tolerance:g})"
        methods += [RandomWalker, Confidence, Growing]
    runs = [_reported(run, method, task) for task in tasks for method in methods]
    Console().print(Markdown(table(runs)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"clicks-{kind}.md").write_text(table(runs) + "\n")
    (RESULTS / f"clicks-{kind}.json").write_text(json.dumps([asdict(r) for r in runs], indent=1))


def _reported(
    measure: Callable[[type[Method], Task], Run], method: type[Method], task: Task
) -> Run:
    result = measure(method, task)
    scores = " ".join(f"{d:.3f}" for d in result.dice)
    print(f"{task.name:32} {method.name:28} {scores}", flush=True)
    return result


if __name__ == "__main__":
    main()
