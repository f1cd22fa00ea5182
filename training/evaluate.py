"""Evaluate: ``python -m training.evaluate MODEL [--cases FOLDER] [--phantoms]``.

The protocol is in the README. A model is a checkpoint or an ONNX file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from napari_medvlm.backends.click_network.crops import Floats
from napari_medvlm.backends.click_network.gestures import Gesture
from napari_medvlm.backends.click_network.segmenter import Predict, Segmenter

from training import exact_user
from training.cases import Case, read_cases
from training.checkpoint import State
from training.export import Onnx
from training.phantoms import FIRST_SEED, phantoms

POINTS = 10
SHOWN = (1, 3, 5, 10)


@dataclass(frozen=True)
class Result:
    """One case: Dice after each point, the best crop size's too, alone prompts, seconds."""

    case: str
    points: list[float]
    best_size: list[float]
    line: float
    box_2d: float
    box_3d: float
    seconds: list[float]


class Torch:
    """A network in torch, on the CPU, one crop at a time."""

    def __init__(self, path: Path) -> None:
        self._network = State.load(path).average.eval()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def __call__(self, channels: Floats) -> tuple[Floats, Floats]:
        """Logits and score logits."""
        parts = [self._network(c[None]) for c in torch.from_numpy(channels)]
        logits, scores = (torch.cat(p).numpy() for p in zip(*parts, strict=True))
        return logits, scores


def evaluate(case: Case, predict: Predict, *, voxels: int, local: bool) -> Result:
    """All prompts of the protocol on one case."""

    def segmenter() -> Segmenter:
        return Segmenter(case.image, case.spacing, predict, voxels=voxels, local=local)

    def alone(gesture: Gesture) -> float:
        return exact_user.dice(segmenter().segment([gesture]), case.truth)

    points, best, seconds = _points(case, segmenter())
    return Result(
        case.name,
        points,
        best,
        alone(exact_user.diameter(case.truth, case.spacing)),
        alone(exact_user.box_2d(case.truth)),
        alone(exact_user.box_3d(case.truth)),
        seconds,
    )


def _points(case: Case, segmenter: Segmenter) -> tuple[list[float], list[float], list[float]]:
    gestures: list[Gesture] = []
    mask = np.zeros(case.truth.shape, bool)
    scores, best, seconds = [], [], []
    for _ in range(POINTS):
        point = exact_user.next_point(case.truth, mask, case.spacing)
        if point is None:
            scores.append(1.0)
            best.append(1.0)
            continue
        gestures.append(point)
        began = time.perf_counter()
        mask = segmenter.segment(gestures)
        seconds.append(time.perf_counter() - began)
        scores.append(exact_user.dice(mask, case.truth))
        masks = (segmenter.mask_of(p, gestures) for p in segmenter.proposals)
        best.append(max(exact_user.dice(m, case.truth) for m in masks))
    return scores, best, seconds


def table(results: Iterable[Result]) -> str:
    """A markdown table: a row per case, then mean and worst."""
    results = list(results)
    head = [
        "case",
        *(f"Dice {k}" for k in SHOWN),
        *(f"best size {k}" for k in (1, 3)),
        *("line", "2D box", "3D box", "s median", "s max"),
    ]
    rows = np.array([_numbers(r) for r in results])
    times = [s for r in results for s in r.seconds]
    mean, worst = rows.mean(0), rows.min(0)
    mean[-2:], worst[-2:] = (np.median(times), max(times)), (np.median(times), max(times))
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    names = [*(r.case for r in results), "**mean**", "**worst**"]
    for name, row in zip(names, [*rows, mean, worst], strict=True):
        lines.append([name, *(f"{value:.2f}" for value in row)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _numbers(r: Result) -> list[float]:
    points = [r.points[k - 1] for k in SHOWN]
    best = [r.best_size[k - 1] for k in (1, 3)]
    seconds = [float(np.median(r.seconds)), max(r.seconds)]
    return [*points, *best, r.line, r.box_2d, r.box_3d, *seconds]


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a checkpoint or an ONNX file")
    parser.add_argument("--cases", type=Path, help="folder of NAME_image.nrrd, NAME_label.nrrd")
    parser.add_argument("--phantoms", action="store_true")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="of the phantoms")
    parser.add_argument("--crop", type=int, default=32, help="voxels along an edge")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--free", action="store_true", help="a correction may change all")
    parser.add_argument("--json", type=Path, help="write all results to a file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    onnx = chosen.model.suffix == ".onnx"
    predict: Predict = Onnx(chosen.model, chosen.threads) if onnx else Torch(chosen.model)
    groups = [read_cases(chosen.cases)] if chosen.cases else []
    groups += [phantoms(chosen.first_seed)] if chosen.phantoms else []
    everything = []
    for cases in groups:
        results = [evaluate(c, predict, voxels=chosen.crop, local=not chosen.free) for c in cases]
        print(table(results) + "\n", flush=True)
        everything += [asdict(r) for r in results]
    if chosen.json:
        chosen.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
