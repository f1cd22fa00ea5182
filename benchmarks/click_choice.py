"""Fit which region a first click means: ``python -m benchmarks.click_choice``.

For each phantom with a seed up to ``--seeds``, clicks anywhere in the lesion, one in its centre and
some on its slices one or two voxels outside it: all proposals of the embedded method are measured,
and extremely randomized trees predict their Dice from the measures: those of ``click_forest.npz``
for clicks in the lesion, those of ``near_forest.npz`` for all. Both are written into the package.
The figures printed are for the held-out seeds, of which nothing is fitted: Dice of the region
chosen, and of the best one there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.ensemble import ExtraTreesRegressor

from benchmarks.mixed_lesions import MIXED
from benchmarks.patients import HELD_OUT, KINDS, Phantom
from benchmarks.phantoms import ellipsoids, vessels
from benchmarks.user import next_click
from napari_medvlm.backends.embedded.proposals import forest
from napari_medvlm.backends.embedded.proposals.click import proposals
from napari_medvlm.backends.embedded.proposals.measures import CLICK_NAMES
from napari_medvlm.backends.embedded.proposals.windows import to_image
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.data.volume import Volume
from training.phantoms import KINDS as OTHER_KINDS

USED = ("outside", "inside", "separation", "sharpness", "weakest", "calm", "central", "compact",
        "thick", "open", "typical", "grow", "shrink")  # fmt: skip
"""The measures that count; the volume does not."""
FURTHER = ("nudge", "drop", "step")
"""The measures that count besides where a click may lie just outside of the object."""
FIRST_SEED = 910_000
"""Added to the seeds of the phantoms of `training`, whose generator refuses such seeds."""
SHAPES_SEED = 200
"""Added to the seeds of `SHAPES`, of which `benchmarks.clicks` uses 0 and 11 to 13."""
ANYWHERE = 4
"""Clicks anywhere in a lesion; so many just outside it."""
OUTSIDE, MISSED = 2, 0.5
"""So many voxels from a lesion is just outside; such a click counts so much in the fit."""
ANYWHERE_IN, CENTRE, JUST_OUTSIDE = "anywhere", "centre", "just outside"
SMALLEST = 8
"""Voxels of a lesion."""
TREES, LEAF, DEPTH = 40, 12, 12


def _of_training(kind: Callable[[int], object]) -> Callable[[int], Phantom]:
    def phantom(seed: int) -> Phantom:
        case = kind(FIRST_SEED + seed)
        return Volume(case.image, np.diag([*case.spacing, 1.0])), case.truth  # type: ignore[attr-defined]

    phantom.__name__ = f"{kind.__name__} (training)"
    return phantom


KINDS_OF_CLICKS: tuple[Callable[[int], Phantom], ...] = (
    *KINDS,
    *MIXED,
    *(_of_training(kind) for kind in OTHER_KINDS),
)


def _shapes(kind: Callable[[int], Phantom]) -> Callable[[int], Phantom]:
    def phantom(seed: int) -> Phantom:
        return kind(SHAPES_SEED + seed)

    phantom.__name__ = kind.__name__
    return phantom


SHAPES = tuple(_shapes(kind) for kind in (ellipsoids, vessels))
"""Phantoms without a lesion: what is thin or has many neighbours of its intensity."""


@dataclass(frozen=True, eq=False)
class Clicked:
    """The proposals of one click.

    Parameters
    ----------
    name
        Kind and seed of the phantom.
    where
        ``anywhere`` in the lesion, in its ``centre`` or ``just outside``.
    measures, dice
        ``(N, len(CLICK_NAMES))`` and ``(N,)``.
    """

    name: str
    where: str
    measures: np.ndarray
    dice: np.ndarray


def just_outside(truth: np.ndarray) -> np.ndarray:
    """The voxels ``(z, y, x)`` that are `OUTSIDE` or fewer from the truth on its slices."""
    square = np.zeros((3, 3, 3), bool)
    square[1] = True
    result: np.ndarray = ndimage.binary_dilation(truth, square, iterations=OUTSIDE) & ~truth
    return result


def clicks_of(volume: Volume, truth: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Voxels ``(1, 3)`` anywhere in the truth, its centre, and voxels just outside it."""
    for where, region, stream in (
        (ANYWHERE_IN, truth, 77),
        (JUST_OUTSIDE, just_outside(truth), 78),
    ):
        rng = np.random.default_rng([seed, stream])
        voxels = np.argwhere(region)
        for _ in range(ANYWHERE):
            yield where, voxels[rng.integers(len(voxels))][None]
    centre = next_click(truth, np.zeros_like(truth), volume.spacing)
    assert centre is not None
    yield CENTRE, np.array([centre.zyx])


def clicked(kind: Callable[[int], Phantom], seed: int) -> Iterator[Clicked]:
    """All clicks in one phantom."""
    volume, truth = kind(seed)
    total = int(truth.sum())
    if total < SMALLEST:
        return
    levels = Levels(volume)
    for where, at in clicks_of(volume, truth, seed):
        found = proposals(levels, at)
        scores = []
        for proposal in found:
            mask = to_image(proposal.mask, proposal.level)
            common = int((mask & truth[proposal.level.box]).sum())
            scores.append(2 * common / (int(mask.sum()) + total))
        measures = np.array([p.measures for p in found])
        yield Clicked(f"{kind.__name__} {seed}", where, measures, np.array(scores))


def columns_of(names: tuple[str, ...]) -> list[int]:
    """The columns of measures."""
    return [CLICK_NAMES.index(name) for name in names]


def in_object(many: list[Clicked]) -> list[Clicked]:
    """The clicks in objects, with the regions that hold the click."""
    rows = [(c, c.measures[:, forest.NUDGE] == 0) for c in many if c.where != JUST_OUTSIDE]
    return [replace(c, measures=c.measures[r], dice=c.dice[r]) for c, r in rows]


def fitted(many: list[Clicked], names: tuple[str, ...] = USED) -> ExtraTreesRegressor:
    """The trees for the proposals of many clicks, of the measures with these names."""
    columns = columns_of(names)
    model = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_depth=DEPTH, random_state=0)
    measures = np.concatenate([c.measures[:, columns] for c in many])
    weights = [np.full(len(c.dice), MISSED if c.where == JUST_OUTSIDE else 1.0) for c in many]
    return model.fit(measures, np.concatenate([c.dice for c in many]), np.concatenate(weights))


def write(model: ExtraTreesRegressor, path: Path, names: tuple[str, ...] = USED) -> None:
    """Write trees as `forest.read` reads them."""
    trees = [tree.tree_ for tree in model.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    inner = np.concatenate([tree.feature >= 0 for tree in trees])

    def moved(name: str) -> np.ndarray:
        parts = zip(trees, roots, strict=True)
        return np.where(inner, np.concatenate([getattr(t, name) + r for t, r in parts]), 0)

    table = {
        "roots": roots.astype(np.int32),
        "feature": np.where(inner, np.concatenate([t.feature for t in trees]), -1).astype(np.int8),
        "limit": np.concatenate([t.threshold for t in trees]).astype(np.float32),
        "left": moved("children_left").astype(np.int32),
        "right": moved("children_right").astype(np.int32),
        "value": np.concatenate([t.value[:, 0, 0] for t in trees]).astype(np.float32),
    }
    np.savez_compressed(path, names=np.array(names), **table)


def report(many: list[Clicked]) -> str:
    """Dice of the region chosen and of the best, for each kind of clicks."""
    lines = []
    for where in (ANYWHERE_IN, CENTRE, JUST_OUTSIDE):
        here = [c for c in many if c.where == where]
        chosen = np.array([c.dice[forest.expected_dice(c.measures).argmax()] for c in here])
        best = np.mean([c.dice.max() for c in here])
        lines.append(
            f"{where}: {len(here)} clicks, chosen {chosen.mean():.3f}, "
            f"below 0.2 {np.mean(chosen < 0.2):.3f}, best {best:.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Fit, write the file, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="phantoms 1 to this are fitted")
    parser.add_argument("--shapes", type=int, default=8, help="phantoms of SHAPES, likewise")
    parser.add_argument("--held-out", type=int, default=2, help="seeds from HELD_OUT on")
    chosen = parser.parse_args()
    fit = [c for s in range(1, chosen.seeds + 1) for k in KINDS_OF_CLICKS for c in clicked(k, s)]
    fit += [c for s in range(1, chosen.shapes + 1) for k in SHAPES for c in clicked(k, s)]
    seeds = range(HELD_OUT, HELD_OUT + chosen.held_out)
    held = [c for s in seeds for k in KINDS_OF_CLICKS for c in clicked(k, s)]
    folder, names = Path(forest.__file__).parent, (*USED, *FURTHER)
    write(fitted(in_object(fit)), folder / forest.FILE)
    write(fitted(fit, names), folder / forest.NEAR_FILE, names)
    print(report(held))


if __name__ == "__main__":
    main()
