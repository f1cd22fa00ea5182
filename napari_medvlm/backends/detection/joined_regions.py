"""Join the boxes of a phrase on adjacent slices to regions with depth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Heatmap, Region, SliceRef
from napari_medvlm.data.volume import Volume

NEIGHBOURS = 0.2
"""Intersection over union from which boxes on neighbouring slices show the same thing."""


def joined(regions: Sequence[Region], slices: Sequence[SliceRef], volume: Volume) -> list[Region]:
    """Regions of one phrase, each on a slice, as one for each thing: its box spans its slices.

    Two on neighbouring ones of ``slices`` are the same thing if their boxes overlap by `NEIGHBOURS`
    in the plane. The score is the mean over the slices, the slice the one with the best score.
    """
    order = {ref: k for k, ref in enumerate(slices)}
    chains: list[list[Region]] = []
    ranked = sorted(regions, key=lambda r: (order[_slice(r)], -(r.score or 0.0)))
    for region in ranked:
        ends = [
            (_overlap(chain[-1], region, volume), chain)
            for chain in chains
            if order[_slice(chain[-1])] == order[_slice(region)] - 1
        ]
        best, chain = max(ends, key=lambda end: end[0], default=(0.0, []))
        if best >= NEIGHBOURS:
            chain.append(region)
        else:
            chains.append([region])
    things = [_merged(chain, volume) for chain in chains]
    return sorted(things, key=lambda r: -(r.score if r.score is not None else 0.0))


def _slice(region: Region) -> SliceRef:
    assert region.slice is not None
    return region.slice


def _edges(region: Region, volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The box in voxel edges ``(z, y, x)``, not rounded."""
    corners = volume.grid.to_index(region.box.corners()) + 0.5
    return corners.min(axis=0), corners.max(axis=0)


def _overlap(a: Region, b: Region, volume: Volume) -> float:
    """Intersection over union of two boxes in the plane of their slices."""
    (low_a, high_a), (low_b, high_b) = _edges(a, volume), _edges(b, volume)
    plane = [axis for axis in range(3) if axis != _slice(a).axis]
    intersection = np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None)[
        plane
    ].prod()
    areas = [(high - low)[plane].prod() for low, high in ((low_a, high_a), (low_b, high_b))]
    return float(intersection / (sum(areas) - intersection))


def _merged(chain: list[Region], volume: Volume) -> Region:
    best = max(chain, key=lambda r: r.score or 0.0)
    if len(chain) == 1:
        return best
    chain = _spread(chain)
    edges = [_edges(region, volume) for region in chain]
    low, high = np.min([e[0] for e in edges], axis=0), np.max([e[1] for e in edges], axis=0)
    scores = [r.score for r in chain if r.score is not None]
    masks = [r.mask for r in chain if r.mask is not None]
    heatmaps = [r.heatmap for r in chain if r.heatmap is not None]
    return replace(
        best,
        box=Box.at_index(volume.grid, low, high),
        score=float(np.mean(scores)) if scores else None,
        mask=Mask.of(np.logical_or.reduce([m.full() for m in masks])) if masks else None,
        heatmap=_stacked(heatmaps) if heatmaps else None,
        points=tuple(point for r in chain for point in r.points),
    )


def _spread(chain: list[Region]) -> list[Region]:
    """Masks and heatmaps repeated half-way to those on the neighbouring slices of the chain."""
    at = [_slice(region).index for region in chain]
    ends = [(a + b) // 2 for a, b in itertools.pairwise(at)]
    ranges = zip([at[0], *(end + 1 for end in ends)], [*ends, at[-1]], strict=True)
    return [
        replace(
            region,
            mask=None if region.mask is None else _repeated_mask(region, first, last),
            heatmap=None if region.heatmap is None else _repeated_heatmap(region, first, last),
        )
        for region, (first, last) in zip(chain, ranges, strict=True)
    ]


def _repeated_mask(region: Region, first: int, last: int) -> Mask:
    mask, axis = region.mask, _slice(region).axis
    assert mask is not None
    start = tuple(first if a == axis else s for a, s in enumerate(mask.start))
    crop = np.repeat(mask.crop, last - first + 1, axis=axis)
    return Mask(crop, (start[0], start[1], start[2]), mask.shape)


def _repeated_heatmap(region: Region, first: int, last: int) -> Heatmap:
    heatmap, axis = region.heatmap, _slice(region).axis
    assert heatmap is not None
    start = tuple(first if a == axis else s for a, s in enumerate(heatmap.start))
    crop = np.repeat(heatmap.crop, last - first + 1, axis=axis)
    return Heatmap(crop, (start[0], start[1], start[2]), heatmap.shape)


def _stacked(heatmaps: list[Heatmap]) -> Heatmap:
    low = np.min([h.start for h in heatmaps], axis=0)
    high = np.max([np.add(h.start, h.crop.shape) for h in heatmaps], axis=0)
    crop = np.zeros(high - low, np.float32)
    for heatmap in heatmaps:
        at = np.array(heatmap.start) - low
        part = tuple(slice(a, a + n) for a, n in zip(at, heatmap.crop.shape, strict=True))
        crop[part] = np.maximum(crop[part], heatmap.crop)
    return Heatmap(crop, (int(low[0]), int(low[1]), int(low[2])), heatmaps[0].shape)
