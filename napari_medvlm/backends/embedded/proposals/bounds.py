"""The thing inside a bound: a box, or an outline or a line on one slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_medvlm.backends.embedded.proposals.flooding import families
from napari_medvlm.backends.embedded.proposals.measures import measured
from napari_medvlm.backends.embedded.proposals.scoring import score
from napari_medvlm.backends.embedded.proposals.windows import local_median
from napari_medvlm.backends.embedded.segmentation.morphology import (
    BoolArray,
    IndexArray,
    components_of,
)
from napari_medvlm.backends.embedded.segmentation.pyramid import Level
from napari_medvlm.data.mask import bounding_box

SIZES = 28
"""So many sizes of each family are rated."""
FILLS = 0.8
"""How much it counts that a region is as large as its bound along each axis."""
LEAKS = 0.5
"""How much it counts against a region that it goes on outside its bound."""
SMALLEST = 6
"""A region of fewer voxels is noise."""


def best_within(level: Level, bound: BoolArray, starts: list[IndexArray]) -> BoolArray | None:
    """The region inside ``bound`` that stands out most and is as large as the bound.

    Parameters
    ----------
    bound
        ``(z, y, x)`` bool on the level; the level goes on around it.
    starts
        Sets of voxels ``(N, 3)`` inside the bound that regions grow from.
    """
    best, best_value = None, -np.inf
    for start in starts:
        for region, value in _rated(level, bound, start):
            if value > best_value:
                best, best_value = region, value
    return best


def _rated(level: Level, bound: BoolArray, start: IndexArray) -> Iterator[tuple[BoolArray, float]]:
    typical = local_median(level.values, start)
    size = np.array([s.stop - s.start for s in bounding_box(bound)])
    most = np.count_nonzero(bound)
    for family in families(
        level.values, level.gradient, start, typical, ("bright", "dark", "band")
    ):
        costs = np.sort(family.cost[bound])
        last = 0
        for wanted in np.geomspace(max(SMALLEST, 0.03 * most), most - 1, SIZES).astype(int):
            threshold = float(costs[min(wanted, most - 1)])
            whole = family.region(threshold)
            region = whole & bound
            count = int(np.count_nonzero(region))
            if count < 1.05 * last:
                continue
            last = count
            region = components_of(region, start)
            leak = 1 - count / max(int(np.count_nonzero(whole)), 1)
            extent = np.array([s.stop - s.start for s in bounding_box(region)])
            fills = float(np.mean((extent / size)[size > 1])) if (size > 1).any() else 1.0
            more = float(np.log(np.searchsorted(costs, 1.15 * threshold + 0.003, "right") / count))
            value = score(measured(level, region, start, typical, (max(more, 0.0), more)))
            yield region, value + FILLS * fills - LEAKS * leak


def starts_in(level: Level, bound: BoolArray) -> list[IndexArray]:
    """The middle of a bound, and the brightest and darkest places in its inner half."""
    from scipy import ndimage

    box = bounding_box(bound)
    low, high = (np.array([getattr(s, n) for s in box]) for n in ("start", "stop"))
    middle = (low + high - 1) // 2
    quarter = (high - low) // 4
    inner = tuple(
        slice(a + q, max(b - q, a + q + 1)) for a, b, q in zip(low, high, quarter, strict=True)
    )
    smooth = ndimage.uniform_filter(level.values, [3 if n > 2 else 1 for n in level.values.shape])
    part = smooth[inner]
    starts = [middle[None]]
    for choose in (np.argmax, np.argmin):
        at = np.array(np.unravel_index(int(choose(part)), part.shape)) + low + quarter
        starts.append(at[None])
    return starts
