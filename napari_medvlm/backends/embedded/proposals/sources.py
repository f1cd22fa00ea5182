"""Where the first mask of an object comes from, and the choice between the sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.proposals.click import SMALLEST
from napari_medvlm.backends.embedded.proposals.measures import NAMES, measured
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.sections import extended
from napari_medvlm.backends.embedded.proposals.starting import boxed, clicked_with_seed, lined
from napari_medvlm.backends.embedded.proposals.windows import local_median, to_level, window
from napari_medvlm.backends.embedded.segmentation import refine
from napari_medvlm.backends.embedded.segmentation.boxes import box_of, fill_of
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, IndexArray, depth_mm
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, Seed
from napari_medvlm.data.mask import bounding_box

VOXELS = 60_000
"""Masks of different sources are compared on so many voxels, at most."""
DRAW = 0.025
"""Scores that differ by less count as equal."""
CALM, CENTRAL, OPEN = 0.45, 0.5, 0.1
"""A region of one tissue: flat inside, the click in its middle, ending inside the image."""
WORSE = 0.25
"""Such a region is not taken if its score is lower than that of the near one by more than this."""
EVEN = 0.01
"""Two readings of a box score alike within this."""
FULL = 0.98
"""A region that fills so much of a box is the box, not an object."""
DIAMETER = 0.25
"""A straight stroke is a diameter unless another reading of it scores so much higher."""


@dataclass(frozen=True, eq=False)
class Start:
    """A first mask.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool of the image.
    seed
        The seed that it follows from, if it is not a box.
    tissue
        Whether it is a region of one tissue in the whole image: the next seeds may change the
        intensities of that tissue.
    """

    mask: BoolArray
    seed: Seed | None = None
    tissue: bool = False


def start_of(levels: Levels, prompts: EmbeddedPrompts, progress: Progress) -> Start:
    """The first mask that prompts mean: of their boxes, or else of the first positive seed."""
    if prompts.bounds:
        full = np.zeros(levels.shape, bool)
        for (start, stop), flat in zip(prompts.bounds, prompts.flat, strict=True):
            progress(0.1, "looking into the box")
            full |= _boxed(levels, start, stop, flat)
        return Start(full)
    seed = prompts.positives[0]
    progress(0.1, "looking around the click")
    return _seeded(levels, seed, progress)


def _boxed(levels: Levels, start: IndexArray, stop: IndexArray, flat: int | None) -> BoolArray:
    """What stands out in a box; on all slices if the box is flat.

    The piece of one tissue that fits a 3D box is taken if it scores as well.
    """
    inside = box_of(start, stop)
    piece = np.zeros(levels.shape, bool)
    piece[inside] = fill_of(levels, start, stop, flat)
    full = boxed(levels, start, stop, flat)
    if _is_full(full[inside]) or middle_rated(levels, piece) >= middle_rated(levels, full) - EVEN:
        full = piece
    return full if flat is None else extended(levels, full, flat)


def _is_full(part: BoolArray) -> bool:
    return bool(np.count_nonzero(part) > FULL * part.size)


def middle_rated(levels: Levels, mask: BoolArray) -> float:
    """The score of a mask whose most interior voxel is the seed."""
    box = bounding_box(mask)
    depth = depth_mm(np.pad(mask[box], 1), levels.spacing)[1:-1, 1:-1, 1:-1]
    at = np.array(np.unravel_index(int(depth.argmax()), depth.shape)) + [s.start for s in box]
    return rated(levels, mask, Seed(at[None], positive=True))[0]


def _seeded(levels: Levels, seed: Seed, progress: Progress) -> Start:
    axis = _slice_axis(levels, seed.voxels)
    if seed.kind == "lasso" and axis is not None:
        section = np.zeros(levels.shape, bool)
        section[tuple(seed.voxels.T)] = True
        return Start(extended(levels, section, axis), seed)
    if seed.kind == "line" and axis is not None:
        return Start(lined(levels, seed.voxels, axis), seed)
    near, meant = clicked_with_seed(levels, seed)
    if axis is not None and _straight(levels, seed.voxels):
        long = lined(levels, seed.voxels, axis)
        if rated(levels, long, seed)[0] >= rated(levels, near, meant)[0] - DIAMETER:
            return Start(long, seed)
    progress(0.3, "looking at the whole image")
    wide = refine.segment(levels, EmbeddedPrompts(seeds=[seed]), None, progress)
    tissue = _is_homogeneous(levels, (wide, seed), (near, meant))
    return Start(wide if tissue else near, seed, tissue)


def _is_homogeneous(
    levels: Levels, wide: tuple[BoolArray, Seed], near: tuple[BoolArray, Seed]
) -> bool:
    """Whether the region of one tissue in the whole image is rather meant than the near one."""
    if np.count_nonzero(wide[0]) < SMALLEST:
        return False
    value, measures = rated(levels, *wide)
    calm, central, opened = (measures[NAMES.index(n)] for n in ("calm", "central", "open"))
    calm_tissue = calm < CALM and central >= CENTRAL and opened < OPEN
    return value >= rated(levels, *near)[0] - (WORSE if calm_tissue else DRAW)


def rated(levels: Levels, mask: BoolArray, seed: Seed) -> tuple[float, NDArray[np.float64]]:
    """The score of a mask of the image, and its measures; the lowest if it is empty."""
    if not mask.any():
        return -np.inf, np.zeros(len(NAMES))
    box = bounding_box(mask)
    low, high = (np.array([getattr(s, n) for s in box]) for n in ("start", "stop"))
    level = window(levels, low, high, 4.0 * max(levels.spacing), VOXELS)
    on_level = to_level(mask, level)
    at = level.index_of(seed.voxels)
    on_level[tuple(at.T)] = True
    measures = measured(level, on_level, at, local_median(level.values, at))
    return score(measures), measures


def _slice_axis(levels: Levels, voxels: IndexArray) -> int | None:
    """The axis across the slice that voxels lie on; `None` for a point, and for several slices."""
    extent = np.ptp(voxels, axis=0)
    flat = [a for a in range(3) if extent[a] == 0]
    if len(voxels) < 3 or not flat or len(flat) == 3:
        return None
    return max(flat, key=lambda a: levels.spacing[a] if levels.shape[a] > 1 else np.inf)


def _straight(levels: Levels, voxels: IndexArray) -> bool:
    places = voxels * np.array(levels.spacing)
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False) / np.sqrt(len(places))
    return bool(spread[1] < max(0.08 * spread[0], 0.6 * min(levels.spacing)))
