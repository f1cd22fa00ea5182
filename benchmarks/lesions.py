"""Points, boxes and lines on cases: ``python -m benchmarks.clicks --cases FOLDER``.

A folder holds pairs ``NAME_image.*`` and ``NAME_label.*``; all above 0 in a label is the object.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

from benchmarks import patients
from benchmarks.methods import Embedded, Joined, Method
from benchmarks.regions import Before, Geodesic, GraphCut, GrowCut, RegionWalker
from benchmarks.tasks import Task
from benchmarks.user import dice, next_click
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.mask import bounding_box
from napari_medvlm.data.prompts import Box, Line
from napari_medvlm.data.volume import Volume

METHODS: tuple[type[Method], ...] = (
    Embedded, Joined, Before, Geodesic, RegionWalker, GraphCut, GrowCut
)  # fmt: skip
CLICKS = 10
FALL = 0.02


def cases(folder: Path) -> Iterator[Task]:
    """The image and label pairs of a folder."""
    import SimpleITK as sitk

    for path in sorted(folder.glob("*_image.*")):
        label = next(folder.glob(path.name.replace("_image", "_label").split(".")[0] + ".*"))
        image = sitk.ReadImage(str(path))
        spacing = image.GetSpacing()
        affine = affine_from_ras(np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(label))) > 0
        name = path.name.split("_image")[0]
        yield Task(name, Volume(sitk.GetArrayFromImage(image), affine), truth)


def phantoms(seeds: range) -> Iterator[Task]:
    """The phantoms of all kinds of `benchmarks.patients`."""
    for seed in seeds:
        for kind in patients.KINDS:
            yield Task(f"{kind.__name__} {seed}", *kind(seed))


def clicked(method: type[Method], task: Task) -> tuple[list[float], list[float]]:
    """Dice after each click, and seconds for each."""
    segmenter = method(task.volume)
    mask, clicks = np.zeros(task.truth.shape, bool), []
    scores, seconds = [], []
    for _ in range(CLICKS):
        click = next_click(task.truth, mask, task.volume.spacing)
        if click is not None:
            clicks.append(click)
            began = time.perf_counter()
            mask = segmenter.segment(clicks)
            seconds.append(time.perf_counter() - began)
        scores.append(dice(mask, task.truth))
    return scores, seconds


def drawn(task: Task) -> dict[str, float]:
    """Dice of a 3D box, of a box on the largest slice, and of a line over its longest diameter."""
    backend = EmbeddedBackend()
    backend.load(None, "cpu")
    backend.set_volume(task.volume)
    largest = int(task.truth.sum((1, 2)).argmax())
    prompts = {
        "3D box": _box(task, task.truth, 0),
        "2D box": _box(task, task.truth[largest : largest + 1], largest),
        "line": Line.at_index(task.volume, *diameter(task, largest)),
    }
    return {
        name: dice(backend.segment(ObjectPrompts((prompt,)), lambda *_: None).full(), task.truth)
        for name, prompt in prompts.items()
    }


def _box(task: Task, truth: np.ndarray, first: int) -> Box:
    parts = bounding_box(truth)
    start, stop = ([getattr(s, end) for s in parts] for end in ("start", "stop"))
    start[0], stop[0] = start[0] + first, stop[0] + first
    return Box.at_index(task.volume, start, stop)


def diameter(task: Task, z: int) -> np.ndarray:
    """The ends ``(2, 3)`` of the longest diameter of the truth on a slice, as indices."""
    section = task.truth[z]
    edge = np.argwhere(section & ~ndimage.binary_erosion(section))
    places = edge * np.array(task.volume.spacing[1:])
    apart = cdist(places, places)
    ends = edge[list(np.unravel_index(int(apart.argmax()), apart.shape))]
    return np.column_stack([np.full(2, z), ends])


def report(tasks: list[Task], methods: tuple[type[Method], ...] = METHODS) -> str:
    """Two markdown tables: points by all methods, then boxes and lines by ours."""
    rows = ["| case | method | Dice 1 | 3 | 5 | 10 | largest fall | s median | s max |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    reached: dict[str, list[list[float]]] = {}
    times: dict[str, list[float]] = {}
    for task in tasks:
        for method in methods:
            scores, seconds = clicked(method, task)
            reached.setdefault(method.name, []).append(scores)
            times.setdefault(method.name, []).extend(seconds)
            rows.append(_row(task.name, method.name, scores, [scores], seconds))
            print(rows[-1], flush=True)
    for name, runs in reached.items():
        rows.append(_row("**mean**", name, np.mean(runs, axis=0), runs, times[name]))
    for name, runs in reached.items():
        rows.append(_row("**worst**", name, np.min(runs, axis=0), runs, times[name]))
    shapes = [drawn(task) for task in tasks]
    kinds = list(shapes[0])
    rows += ["", "| case | " + " | ".join(kinds) + " |", "| --- |" + " ---: |" * len(kinds)]
    rows += [
        f"| {task.name} | " + " | ".join(f"{s[k]:.3f}" for k in kinds) + " |"
        for task, s in zip(tasks, shapes, strict=True)
    ]
    means = [f"{np.mean([s[k] for s in shapes]):.3f}" for k in kinds]
    rows.append("| **mean** | " + " | ".join(means) + " |")
    return "\n".join(rows)


def _row(
    task: str, method: str, scores: np.ndarray | list[float], runs: list[list[float]],
    seconds: list[float],
) -> str:  # fmt: skip
    fall = max(0.0, *(-float(np.diff(r).min()) for r in runs))
    cells = [f"{scores[k - 1]:.3f}" for k in (1, 3, 5, 10)]
    cells += [f"{fall:.3f}", f"{np.median(seconds):.2f}", f"{max(seconds):.2f}"]
    return f"| {task} | {method} | " + " | ".join(cells) + " |"
