"""Planted lesions followed: ``python -m benchmarks.followup --resolution 2 --out FILE``.

With ``--seeds 1 2 3``: pairs with other poses, noise and positions (`drawn_pair`).
Masks of both studies are compared; points are segmented by the embedded backend with the true map
and with the registered one; and the registration is spoiled on purpose.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import napari_medvlm as nmv
from benchmarks.planted_lesions import EXPECTED, PlantedPair, drawn_pair, planted_pair
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.sessions.followup.followed import FollowUp

SPOILED_MM = (8.0, 14.0, 20.0)
SPOILED_DEGREES = 25.0


@dataclass(frozen=True, eq=False)
class Run:
    """A follow-up, with its true changes of volume by name."""

    title: str
    result: FollowUp
    changes: dict[str, float]
    seconds: float

    @property
    def rows(self) -> list[str]:
        """A row for each lesion, in markdown."""
        lines = []
        for lesion in self.result.lesions:
            reliability = lesion.reliability
            cells = [self.title, lesion.name, EXPECTED[lesion.name], str(lesion.state or "-")]
            cells += [_text(lesion.change_percent), _text(self.changes.get(lesion.name))]
            cells += [_text(reliability and reliability.measured_percent)]
            cells += [reliability.prompts if reliability else ""]
            cells.append("yes" if reliability and reliability.is_reliable else "no")
            lines.append("| " + " | ".join(cells) + " |")
        return lines

    @property
    def right(self) -> str:
        """How many lesions are named rightly, of those that the run may name."""
        named = [(EXPECTED[row.name], row.state) for row in self.result.lesions]
        return f"{sum(a == b for a, b in named)} of {len(named)}"

    @property
    def largest_error(self) -> str:
        """Largest error of a change of an unchanged or grown lesion, in percentage points."""
        errors = [
            abs(row.change_percent - self.changes[row.name])
            for row in self.result.lesions
            if row.change_percent is not None and row.name.startswith(("grown", "stable"))
        ]
        return f"{max(errors):.1f}" if errors else "-"

    @property
    def unreliable(self) -> str:
        """How many changes are flagged."""
        tested = [row.reliability for row in self.result.lesions if row.reliability]
        return f"{sum(not r.is_reliable for r in tested)} of {len(tested)}"


def timed(
    title: str, pair: PlantedPair, run: Callable[[], FollowUp]
) -> Run:  # fmt: skip
    """A run with its time and the true changes."""
    began = time.perf_counter()
    result = run()
    sizes = [{name: int(np.count_nonzero(masks.values == value))
              for value, name in masks.names.items()}
             for masks in (pair.prior_masks, pair.current_masks)]  # fmt: skip
    changes = {n: 100 * (sizes[1][n] / sizes[0][n] - 1) for n in sizes[0] if n in sizes[1]}
    return Run(title, result, changes, time.perf_counter() - began)


def runs(pair: PlantedPair) -> list[Run]:
    """All follow-ups of a planted pair."""
    studies = (pair.current, pair.prior, pair.prior_masks)
    done = [
        timed("masks", pair, lambda: nmv.follow(
            *studies, pair.pairing, current_masks=pair.current_masks)),
        timed("segmented, true map", pair, lambda: nmv.follow(
            *studies, pair.pairing, accept=True)),
        timed("segmented, registered", pair, lambda: nmv.follow(*studies, accept=True)),
    ]  # fmt: skip
    for name, matrix in spoiled(pair).items():
        pairing = Pairing(PairingKind.RIGID, matrix)
        done.append(timed(f"points, {name}", pair, lambda p=pairing: nmv.follow(*studies, p)))
        print(done[-1].title, done[-1].unreliable, done[-1].result.notes, flush=True)
    return done


def spoiled(pair: PlantedPair) -> dict[str, np.ndarray]:
    """Maps that are wrong by a shift to the back, or by a turn about the head's axis."""
    result = {"right": pair.pairing.affine_mm}
    for mm in SPOILED_MM:
        matrix = pair.pairing.affine_mm.copy()
        matrix[1, 3] += mm
        result[f"off by {mm:.0f} mm"] = matrix
    angle = np.radians(SPOILED_DEGREES)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    result[f"turned by {SPOILED_DEGREES:.0f} degrees"] = turn @ pair.pairing.affine_mm
    return result


def report(done: list[Run], title: str) -> str:
    """Two markdown tables: the runs, then the lesions of those with masks."""
    lines = [f"## {title}", "",
             "| run | named rightly | largest error, points | flagged | pair flagged | s |",
             "| --- | --- | ---: | --- | --- | ---: |"]  # fmt: skip
    for run in done:
        flagged = any("does not fit" in note for note in run.result.notes)
        right = run.right if run.result.masks is not None else "points only"
        cells = [run.title, right, run.largest_error, run.unreliable, "yes" if flagged else "no"]
        lines.append("| " + " | ".join([*cells, f"{run.seconds:.0f}"]) + " |")
    lines += [
        "",
        "| run | lesion | planted | named | change % | true % | backtest % (planted 20) | "
        "prompts | reliable |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for run in done[:3]:
        lines += run.rows
    return "\n".join(lines) + "\n"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def main() -> None:
    """Run and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", help="drawn pairs instead")
    args = parser.parse_args()
    title = f"MNI152 at {args.resolution} mm"
    if args.seeds:
        text = "\n".join(
            report(runs(drawn_pair(seed, args.resolution)), f"{title}, drawn with seed {seed}")
            for seed in args.seeds
        )
    else:
        text = report(runs(planted_pair(args.resolution)), title)
    print(text)
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
