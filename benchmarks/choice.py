"""Fit how proposals are scored, on phantoms: ``python -m benchmarks.choice``.

For each phantom with a seed below ``--seeds``, two clicks (the centre and another deep voxel),
every region of every family in every region of interest is measured; ridge regression predicts its
Dice from the measures, their squares and products. Writes ``choice.json`` into the package. The
figures printed are for held-out seeds: Dice of the region chosen, and of the best one there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.linear_model import Ridge

from benchmarks.patients import HELD_OUT, KINDS
from benchmarks.user import next_click
from napari_medvlm.backends.embedded.proposals import scoring
from napari_medvlm.backends.embedded.proposals.flooding import families
from napari_medvlm.backends.embedded.proposals.measures import NAMES, measured
from napari_medvlm.backends.embedded.proposals.windows import (
    RADII_MM,
    local_median,
    to_image,
    window,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.data.volume import Volume

USED = ("outside", "inside", "separation", "sharpness", "weakest", "calm", "central", "compact",
        "thick", "open", "typical", "grow", "shrink")  # fmt: skip
"""The measures that count. The volume does not: a small lesion is as likely as an organ."""
OPEN = 0.25
PENALTY = 300.0

Rows = np.ndarray
"""``(N, measures + 1)``: the measures of regions, and their Dice."""


def regions_of(volume: Volume, truth: np.ndarray, at: np.ndarray) -> Rows:
    """All regions around a click ``(1, 3)``."""
    levels, rows = Levels(volume), []
    for radius in RADII_MM:
        level = window(levels, at[0], at[0] + 1, radius)
        inside, total = truth[level.box], int(truth.sum())
        here = level.index_of(at)
        typical = local_median(level.values, here)
        for family in families(
            level.values, level.gradient, here, typical, ("bright", "dark", "band")
        ):
            costs, last = np.sort(family.cost.ravel()), 0
            for wanted in np.geomspace(8, 0.9 * costs.size, 28).astype(int):
                threshold = float(costs[wanted])
                region = family.region(threshold)
                count = int(region.sum())
                if count <= 1.05 * last:
                    continue
                last = count
                more = np.searchsorted(costs, 1.15 * threshold + 0.003, "right")
                less = max(int(np.searchsorted(costs, 0.85 * threshold - 0.003, "right")), 1)
                change = (float(np.log(more / count)), float(np.log(count / less)))
                full = to_image(region, level)
                score = 2 * (full & inside).sum() / (full.sum() + total)
                rows.append([*measured(level, region, here, typical, change), score])
    table = np.array(rows)
    return table[table[:, NAMES.index("open")] < OPEN]


def clicks_of(volume: Volume, truth: np.ndarray, seed: int) -> list[np.ndarray]:
    """The centre, and a random voxel more than half as deep."""
    center = next_click(truth, np.zeros_like(truth), volume.spacing)
    assert center is not None
    depth = ndimage.distance_transform_edt(truth, sampling=volume.spacing)
    deep = np.argwhere(depth >= 0.55 * depth.max())
    other = deep[np.random.default_rng(seed).integers(len(deep))]
    return [np.array([center.zyx]), other[None]]


def main() -> None:
    """Fit, print the figures, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    chosen = parser.parse_args()
    columns = [NAMES.index(name) for name in USED]
    tables = {
        seed: [
            regions_of(volume, truth, at)
            for kind in KINDS
            for volume, truth in [kind(seed)]
            for at in clicks_of(volume, truth, seed)
        ]
        for seed in [*range(chosen.seeds), HELD_OUT, HELD_OUT + 1]
    }
    fitted = np.concatenate([t for s, many in tables.items() if s < HELD_OUT for t in many])
    mean, scale = fitted[:, columns].mean(0), fitted[:, columns].std(0)

    def features(table: Rows) -> np.ndarray:
        z = np.clip((table[:, columns] - mean) / scale, -scoring.LIMIT, scoring.LIMIT)
        first, second = np.triu_indices(len(columns))
        return np.hstack([z, z[:, first] * z[:, second]])

    model = Ridge(PENALTY).fit(features(fitted), fitted[:, -1])
    held = [t for s, many in tables.items() if s >= HELD_OUT for t in many]
    picked = [t[model.predict(features(t)).argmax(), -1] for t in held]
    best = np.mean([t[:, -1].max() for t in held])
    print(f"held out: chosen {np.mean(picked):.3f}, best {best:.3f}")
    path = Path(scoring.__file__).parent / "choice.json"
    numbers = {"mean": mean, "scale": scale, "weights": model.coef_}
    written = {key: [round(float(v), 4) for v in values] for key, values in numbers.items()}
    written |= {"names": list(USED), "intercept": round(float(model.intercept_), 4)}
    path.write_text(json.dumps(written) + "\n")


if __name__ == "__main__":
    main()
