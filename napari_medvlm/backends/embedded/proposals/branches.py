"""A thing that was taken together with thin branches: negative seeds in them mean all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.proposals.starting import agreeing
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    components_of,
    depth_mm,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box

FEWEST = 2
"""So many negative seeds far from the thing are needed."""
FAR = 1.0
"""A seed is far from the thing if its distance is so many radii of the thing."""
THIN = 0.5
"""What is no deeper than this share of the depth of the thing is a branch."""
ALL = 0.9
"""The thing holds at least this share of what is deeper than branches."""
PART = 0.5
"""The thing fills at most this share of the mask."""


def without_branches(levels: Levels, mask: BoolArray, seeds: list[Seed]) -> BoolArray | None:
    """The thing at the first positive seed without the branches that negative seeds lie in.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool of the image, before the newest of the seeds.

    Returns
    -------
    A region around the first positive seed that agrees with all seeds, or else the thick part of
    the mask there; `None` unless several negative seeds lie far from it and it holds nearly all of
    the mask that is not thin.
    """
    negatives = [s for s in seeds if not s.positive]
    first = next((s for s in seeds if s.positive), None)
    if len(negatives) < FEWEST or first is None or not mask.any():
        return None
    depth = _depth(levels, mask)
    region = agreeing(levels, seeds)
    if region is not None and _is_thing(levels, region, depth, negatives):
        return region
    part = _thick_part(levels, mask, depth, first)
    agrees = all(part[tuple(s.voxels.T)].any() == s.positive for s in seeds)
    return part if agrees and _is_thing(levels, part, depth, negatives) else None


def _is_thing(
    levels: Levels, thing: BoolArray, depth: NDArray[np.float64], negatives: list[Seed]
) -> bool:
    """Whether a region is what remains of a mask without its branches.

    Parameters
    ----------
    depth
        ``(z, y, x)`` mm in the mask.
    """
    if not depth[thing].any() or np.count_nonzero(thing) > PART * np.count_nonzero(depth):
        return False
    radius = (3 * np.count_nonzero(thing) * np.prod(levels.spacing) / (4 * np.pi)) ** (1 / 3)
    if sum(_gap(levels, thing, s) > FAR * radius for s in negatives) < FEWEST:
        return False
    thick = depth > THIN * float(depth[thing].max())
    return bool(np.count_nonzero(thick & thing) >= ALL * np.count_nonzero(thick))


def _depth(levels: Levels, mask: BoolArray) -> NDArray[np.float64]:
    """The depth in mm ``(z, y, x)`` in a mask of the image."""
    box = bounding_box(mask)
    depth = np.zeros(mask.shape)
    depth[box] = depth_mm(np.pad(mask[box], 1), levels.spacing)[1:-1, 1:-1, 1:-1]
    return depth


def _thick_part(
    levels: Levels, mask: BoolArray, depth: NDArray[np.float64], seed: Seed
) -> BoolArray:
    """The mask around a seed without what is thinner than there: an opening by a ball."""
    thin = THIN * float(depth[tuple(seed.voxels.T)].max())
    core = components_of(depth > thin, seed.voxels)
    result = np.zeros_like(mask)
    if core.any():
        steps = np.ceil(thin / np.array(levels.spacing)).astype(int) + 1
        z, y, x = (
            slice(max(s.start - n, 0), s.stop + n)
            for s, n in zip(bounding_box(core), steps, strict=True)
        )
        near = depth_mm(~core[z, y, x], levels.spacing) <= thin
        result[z, y, x] = mask[z, y, x] & near
    result[tuple(seed.voxels.T)] = True
    return result


def _gap(levels: Levels, thing: BoolArray, seed: Seed) -> float:
    """The distance in mm between a seed and the box around a thing."""
    parts = bounding_box(thing)
    low, high = (np.array([getattr(s, n) for s in parts]) for n in ("start", "stop"))
    away = np.maximum(np.maximum(low - seed.voxels, seed.voxels - (high - 1)), 0)
    return float(np.linalg.norm(away * np.array(levels.spacing), axis=1).min())
