"""Models of images at work in volumes: slice by slice, and what they find joined in depth."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_medvlm.backends.base import Backend, Progress
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Heatmap, Region, SliceRef
from napari_medvlm.data.slice_image import PixelBounds, SliceImage, picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.data.window_presets import default_window

NEIGHBOURS = 0.2
"""Intersection over union from which boxes on neighbouring slices show the same thing."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A detection of a phrase in one image, in pixels of the image.

    Parameters
    ----------
    phrase
        As given in the query.
    bounds
        Left, upper, right and lower edge; `None` where only a heatmap or mask is known.
    heatmap, mask
        ``(height, width)`` over the whole image, at any resolution.
    points
        ``(x, y)`` of single places.
    """

    phrase: str
    score: float | None = None
    bounds: PixelBounds | None = None
    name: str = ""
    heatmap: np.ndarray | None = None
    mask: np.ndarray | None = None
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Look:
    """All detections of a model in one image.

    Parameters
    ----------
    seen
        What it sees.
    best
        For phrases that it does not see, the score of what came nearest.
    texts, notes
        As in `Grounding`.
    """

    seen: tuple[Seen, ...] = ()
    best: dict[str, float] | None = None
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class SlicewiseBackend(Backend, ABC):
    """A backend whose model processes 2D images; subclasses implement `look`."""

    batch = 4
    """How many images are shown at once."""

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._volume = volume

    @abstractmethod
    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """Detections in each image, in their order."""

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope in batches, and merge regions of neighbouring slices."""
        window = query.window or (None if self._volume.is_color else default_window(self._volume))
        slices = query.scope.slices(self._volume.grid)
        looks = self._look_at(slices, query, window, progress)
        if query.scope.coarse_to_fine:
            seen = [slice_image.slice for slice_image, look in looks if look.seen]
            closer = sorted(
                set(query.scope.around(seen, self._volume.grid)) - set(slices), key=_slice_index
            )
            looks += self._look_at(closer, query, window, progress)
            looks.sort(key=lambda pair: _slice_index(pair[0].slice))
            slices = tuple(slice_image.slice for slice_image, _ in looks)
        progress(1.0, "merging regions")
        detected_regions = [
            region for slice_image, look in looks for region in regions_of(slice_image, look)
        ]
        regions = tuple(
            region
            for phrase in query.phrases
            for region in joined(
                [r for r in detected_regions if r.phrase == phrase], slices, self._volume
            )
        )
        return Grounding(
            regions=regions,
            not_found=_missing(query.phrases, regions, [look for _, look in looks], len(slices)),
            slices=slices,
            window=window,
            prompts={phrase: query.prompt_of(phrase) for phrase in query.phrases},
            texts=tuple(text for _, look in looks for text in look.texts),
            notes=tuple(dict.fromkeys(note for _, look in looks for note in look.notes)),
        )

    def _look_at(
        self,
        slices: Sequence[SliceRef],
        query: GroundQuery,
        window: Window | None,
        progress: Progress,
    ) -> list[tuple[SliceImage, Look]]:
        """Detections on slices, in batches."""
        looks: list[tuple[SliceImage, Look]] = []
        for start in range(0, len(slices), self.batch):
            batch = slices[start : start + self.batch]
            progress(start / len(slices), f"slice {start + 1} of {len(slices)}")
            slice_images = [picture_of(self._volume, ref, window) for ref in batch]
            looks += zip(slice_images, self.look(slice_images, query), strict=True)
        return looks


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


def regions_of(slice_image: SliceImage, look: Look) -> list[Region]:
    """Convert the detections in an image to regions on its slice."""
    regions = []
    for seen in look.seen:
        heatmap = None if seen.heatmap is None else slice_image.heatmap(seen.heatmap)
        mask = None if seen.mask is None else slice_image.mask(seen.mask)
        mask = mask if mask is not None and mask.voxels else None
        points = tuple(slice_image.point(x, y) for x, y in seen.points)
        box = slice_image.box(seen.bounds or _bounds(slice_image, seen, mask))
        if box is not None:
            slice_ref = _slice_of(slice_image, box)
            regions.append(
                Region(seen.phrase, box, seen.score, seen.name, mask, heatmap, points, slice_ref)
            )
    return regions


def _slice_of(slice_image: SliceImage, box: Box) -> SliceRef:
    """The slice that a box lies on: an image may show several."""
    axis = slice_image.slice.axis
    middle = slice_image.grid.to_index(box.corners().mean(axis=0))
    return SliceRef(axis, round(float(middle[axis])))


def _bounds(slice_image: SliceImage, seen: Seen, mask: Mask | None) -> PixelBounds:
    """Edges around a mask or points; the whole image for a heatmap alone."""
    height, width = slice_image.size
    if mask is not None and seen.mask is not None:
        inside = np.asarray(seen.mask, bool)
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return (0.0, 0.0, 0.0, 0.0)
        down, right = height / inside.shape[0], width / inside.shape[1]
        return (
            columns[0] * right, rows[0] * down, (columns[-1] + 1) * right, (rows[-1] + 1) * down,
        )  # fmt: skip
    if seen.points:
        x, y = np.array(seen.points).T
        return (x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5)
    return (0.0, 0.0, float(width), float(height))


def _slice_index(ref: SliceRef) -> int:
    return ref.index


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


def _missing(
    phrases: Sequence[str], regions: Sequence[Region], looks: Sequence[Look], slices: int
) -> tuple[NotFound, ...]:
    detected_phrases = {region.phrase for region in regions}
    missing = []
    for phrase in phrases:
        if phrase in detected_phrases:
            continue
        best = [look.best[phrase] for look in looks if look.best and phrase in look.best]
        searched = "the slice" if slices == 1 else f"any of {slices} slices"
        reason = f"The model did not find it on {searched}."
        missing.append(NotFound(phrase, reason, max(best) if best else None))
    return tuple(missing)
