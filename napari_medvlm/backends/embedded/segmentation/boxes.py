"""Boxes: the piece of the image that a box was drawn around."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, shrunk
from napari_medvlm.backends.embedded.segmentation.pyramid import Box, Level, Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, IndexArray, Seed

MARGIN = 0.25
"""How much of a box's size is looked at around it."""
BEYOND = 0.5
"""How much of its size an object may extend outside the box on other slices than the box's."""
SEARCHED = 200_000
"""The intensities are searched for on so many voxels, at most."""
LEVELS = 32
"""How many intensities, equally frequent in the box, are tried as the end of the object's own."""
LIKELY = 8
"""How many of them are then tried on all voxels."""
FILLS = 0.3
"""How much of the box a piece's own bounding box fills at least."""
SMALL = 8
"""A piece of fewer voxels is noise."""
LEAK = 4
"""How strongly it counts against a piece that it goes on outside the box."""


def box_seeds(levels: Levels, prompts: EmbeddedPrompts) -> tuple[BoolArray, list[Seed]]:
    """What the boxes hold, as a mask of the image, and the seeds that the flat ones give."""
    full = np.zeros(levels.shape, bool)
    seeds = []
    for (start, stop), flat in zip(prompts.bounds, prompts.flat, strict=True):
        inside = box_of(start, stop)
        mask = fill_of(levels, start, stop, flat)
        full[inside] |= mask
        if flat is not None:
            core = shrunk_on(mask, flat)
            voxels = np.argwhere(core if core.any() else mask) + start
            seeds.append(Seed(voxels, positive=True))
    return full, seeds


def bounded(full: BoolArray, prompts: EmbeddedPrompts, filled: BoolArray) -> BoolArray:
    """The object kept to its boxes: as they say on their slices, and near them on others."""
    for (start, stop), flat in zip(prompts.bounds, prompts.flat, strict=True):
        if flat is None:
            continue
        size = (stop - start) * BEYOND
        size[flat] = max(full.shape)
        allowed = np.zeros_like(full)
        low = np.maximum(start - size, 0).astype(int)
        high = np.minimum(stop + size, full.shape).astype(int)
        allowed[box_of(low, high)] = True
        full &= allowed
        plane = tuple(slice(start[a], stop[a]) if a == flat else slice(None) for a in range(3))
        full[plane] = filled[plane]
    return full


def box_of(start: IndexArray, stop: IndexArray) -> Box:
    """The slices of a half-open index box."""
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return z, y, x


def fill_of(levels: Levels, start: IndexArray, stop: IndexArray, flat: int | None) -> BoolArray:
    """The object in a box: ``(z, y, x)`` bool in the box, never empty.

    A box is drawn around something: the connected piece, brighter or darker than what is around it,
    whose own bounding box is the box, that ends inside it, and whose border is steep. The
    ellipsoid that fills the box if there is none whose border is steeper than the faces of the box.
    """
    margin = np.maximum(np.ceil((stop - start) * MARGIN).astype(int), 2)
    if flat is not None:
        margin[flat] = 0
    outer = box_of(np.maximum(start - margin, 0), np.minimum(stop + margin, levels.shape))
    coarse = _Window(levels.cut(outer, SEARCHED), start, stop, flat)
    fine = _Window(levels.cut(outer), start, stop, flat)
    likely = coarse.best(coarse.all_cuts(), LIKELY)
    score, mask = fine.piece(fine.best(likely, 1)[0])
    if mask is None or score < fine.steepness_of_faces():
        return _ellipsoid(tuple(int(n) for n in stop - start))
    return _in_box(mask, fine.level, start, stop)


class _Window:
    """A level, and where the box is in it."""

    def __init__(self, level: Level, start: IndexArray, stop: IndexArray, flat: int | None) -> None:
        origin = np.array([part.start for part in level.box])
        self.level, self.flat = level, flat
        self.inner = box_of((start - origin) // level.factors, -((origin - stop) // level.factors))
        self._values = level.values[self.inner]
        self._steepness = level.gradient[self.inner]

    def all_cuts(self) -> list[Cuts]:
        """All that is above one intensity, or below one."""
        ordered = np.sort(self._values.ravel())
        places = np.linspace(0.02, 0.98, LEVELS) * (ordered.size - 1)
        ends = [float(ordered[int(k)]) for k in places]
        return [Cuts(low=end) for end in ends] + [Cuts(high=end) for end in ends]

    def best(self, tried: list[Cuts], count: int) -> list[Cuts]:
        """Those between which the best pieces are, best first."""
        return sorted(tried, key=lambda cuts: -self.piece(cuts)[0])[:count]

    def steepness_of_faces(self) -> float:
        """How steep the image is on the faces of the box."""
        every = np.ones(self._steepness.shape, bool)
        return float(self._steepness[every & ~_shrunk_in_box(every, self.flat)].mean())

    def piece(self, cuts: Cuts) -> tuple[float, BoolArray | None]:
        """How well the best piece between cuts fits the box, and the piece on the whole level."""
        from scipy import ndimage

        allowed = cuts.holds(self.level.values)
        labels, count = ndimage.label(allowed[self.inner])
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        best_score, best = 0.0, None
        for k, part in enumerate(ndimage.find_objects(labels), 1):
            extent = np.array([s.stop - s.start for s in part])
            fills = float(np.prod(extent / labels.shape))
            if sizes[k] >= SMALL and fills >= FILLS:
                mask = labels == k
                score = fills * self._ends_here(mask, allowed)
                if score > best_score:
                    best_score, best = score, mask
        if best is None:
            return best_score, None
        full = np.zeros(allowed.shape, bool)
        full[self.inner] = best
        return best_score, full

    def _ends_here(self, mask: BoolArray, allowed: BoolArray) -> float:
        """How steep the border of a piece is, less where it goes on outside the box."""
        edge = mask & ~_shrunk_in_box(mask, self.flat)
        through = sum(
            np.count_nonzero(np.take(mask, at, axis) & outside)
            for axis, at, outside in self._faces(allowed)
        )
        edges = np.count_nonzero(edge)
        return max(1 - through / edges, 0.0) ** LEAK * float(self._steepness[edge].mean())

    def _faces(self, allowed: BoolArray) -> Iterator[tuple[int, int, BoolArray]]:
        """Axis and side of each face of the box, and what is allowed just outside of it."""
        for axis in range(3):
            sides = ((0, self.inner[axis].start - 1), (-1, self.inner[axis].stop))
            others = tuple(s for a, s in enumerate(self.inner) if a != axis)
            for at, outside in sides:
                if 0 <= outside < allowed.shape[axis] and axis != self.flat:
                    yield axis, at, np.take(allowed, outside, axis)[others]


def _shrunk_in_box(mask: BoolArray, flat: int | None) -> BoolArray:
    """The mask without its border; the box's faces are a border too."""
    pad = [(0, 0) if axis == flat else (1, 1) for axis in range(3)]
    inside = tuple(slice(a, n + a) for (a, _), n in zip(pad, mask.shape, strict=True))
    return shrunk(np.pad(mask, pad))[inside]


def shrunk_on(mask: BoolArray, flat: int) -> BoolArray:
    """The mask without its border, on the slice that it lies on."""
    doubled = np.repeat(mask, 3, axis=flat)
    index = tuple(slice(1, 2) if a == flat else slice(None) for a in range(3))
    return shrunk(doubled)[index]


def _ellipsoid(shape: tuple[int, ...]) -> BoolArray:
    """The ellipsoid, or on one slice the ellipse, that touches all faces of an array."""
    axes = [(2 * np.arange(n) + 1 - n) / n for n in shape]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside: BoolArray = z**2 + y**2 + x**2 <= 1
    return inside


def _in_box(mask: BoolArray, level: Level, start: IndexArray, stop: IndexArray) -> BoolArray:
    for axis, factor in enumerate(level.factors):
        mask = np.repeat(mask, factor, axis=axis) if factor > 1 else mask
    offset = start - [part.start for part in level.box]
    return mask[box_of(offset, offset + stop - start)]
