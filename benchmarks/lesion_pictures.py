"""Pictures of cases after one, two, three clicks: ``python -m benchmarks.lesion_pictures``.

For each image and label pair of ``--cases`` a picture ``lesion-NAME.png`` in ``--out``: a row for
each click in the centre of the largest error, three slices; the mask is orange, the label blue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lesions import cases
from benchmarks.methods import Embedded
from benchmarks.tasks import Task
from benchmarks.user import Click, dice, next_click
from napari_medvlm.data.mask import bounding_box

CLICKS, MARGIN_MM = 3, 30.0
SHARES = (0.25, 0.5, 0.75)
"""Slices, as shares of the way through the label."""
MASK, LABEL, POSITIVE, NEGATIVE = "#ffa500", "#30b0ff", "#20ff20", "#ff3030"


def picture(task: Task, path: Path) -> None:
    """Write the picture of one case."""
    segmenter, mask = Embedded(task.volume), np.zeros(task.truth.shape, bool)
    figure = Figure(figsize=(6.6, 7.0), layout="constrained", dpi=100)
    rows = figure.subfigures(CLICKS, 1)
    clicks: list[Click] = []
    for number, row in enumerate(rows, 1):
        click = next_click(task.truth, mask, task.volume.spacing)
        if click is not None:
            clicks.append(click)
            mask = segmenter.segment(clicks)
        score = dice(mask, task.truth)
        row.suptitle(f"{number} click{'s' * (number > 1)}: Dice {score:.2f}", x=0.02, ha="left")
        for axes, share in zip(row.subplots(1, len(SHARES)), SHARES, strict=True):
            _slice(axes, task, mask, clicks, share)
    figure.savefig(path)


def _slice(axes: Axes, task: Task, mask: np.ndarray, clicks: list[Click], share: float) -> None:
    z, *parts = bounding_box(task.truth)
    at = z.start + int(share * (z.stop - z.start))
    steps = [int(MARGIN_MM / s) for s in task.volume.spacing[1:]]
    rows, columns = (
        slice(max(s.start - n, 0), s.stop + n) for s, n in zip(parts, steps, strict=True)
    )
    image = task.volume.intensity()
    low, high = np.percentile(image[:, rows, columns], (1, 99.7))
    aspect = task.volume.spacing[1] / task.volume.spacing[2]
    axes.imshow(image[at, rows, columns], "gray", vmin=low, vmax=high, aspect=aspect)
    for region, colour in ((task.truth, LABEL), (mask, MASK)):
        if region[at, rows, columns].any():
            axes.contour(region[at, rows, columns], [0.5], colors=colour, linewidths=1.0)
    for click in clicks:
        if click.zyx[0] == at:
            sign, colour = ("+", POSITIVE) if click.positive else ("_", NEGATIVE)
            axes.plot(
                click.zyx[2] - columns.start, click.zyx[1] - rows.start, sign, color=colour, ms=9
            )
    axes.set_axis_off()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    chosen = parser.parse_args()
    for task in cases(chosen.cases):
        picture(task, chosen.out / f"lesion-{task.name}.png")


if __name__ == "__main__":
    main()
