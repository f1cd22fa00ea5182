"""The object from its prompts in their order: a start first, then correction by correction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.proposals.branches import without_branches
from napari_medvlm.backends.embedded.proposals.click import LARGEST_MM3
from napari_medvlm.backends.embedded.proposals.correcting import connected, corrected, near_only
from napari_medvlm.backends.embedded.proposals.sizes import resized_change, resized_start
from napari_medvlm.backends.embedded.proposals.sources import DRAW, Start, rated, start_of
from napari_medvlm.backends.embedded.proposals.starting import agreeing
from napari_medvlm.backends.embedded.segmentation import refine
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, depth_mm
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, Seed
from napari_medvlm.data.mask import Mask, bounding_box

TISSUE = 3
"""So many first seeds may change the intensities of the object's tissue."""
FEWEST = 100
"""Fewer voxels have no intensities of a tissue that further seeds could change."""
AGREED, CONNECTED = 0.97, 0.8
"""Shares of a change that must be as the seed says, and connected with it."""
DOUBLE = 1.0
"""A positive seed that would add more than so many times the object is a correction around it."""
AGAIN = 6
"""So many first seeds may ask for another proposal."""
CORE = 0.8
"""A place so deep in the mask, in parts of the greatest depth, is its core."""
MANY = 2000
"""A seed of more voxels is taken as it is: nothing grows from it."""

LARGEST, SMALLEST = "Largest size of the last point.", "Smallest size of the last point."

Key = tuple[object, ...]


class Source(Protocol):
    """Another source of masks, and the choice between them and those of the regions."""

    def start(self, prompts: EmbeddedPrompts, start: Start) -> Start:
        """The first mask, of the boxes or else of the first positive seed."""

    def change(self, prompts: EmbeddedPrompts, before: BoolArray, after: BoolArray) -> BoolArray:
        """The mask after the newest seed, which contradicts the mask before; for no tissue."""


@dataclass(eq=False)
class _Step:
    """The mask after some of the seeds; only to be read.

    ``last_size`` is 1 or -1 where the newest prompt has its largest or smallest size.
    """

    start: Key
    seeds: list[Key]
    mask: BoolArray
    last_size: int = 0


class Replay:
    """Segments by replaying all prompts; remembers the last step, so that a further one is quick.

    Parameters
    ----------
    levels
        The image.
    other
        Another source of masks, if there is one.
    """

    def __init__(self, levels: Levels, other: Source | None = None) -> None:
        self._levels, self._other = levels, other
        self._started: tuple[Key, Start] | None = None
        self._last_size = 0
        self._step: _Step | None = None

    def segment(
        self, prompts: EmbeddedPrompts, excluded: Mask | None, progress: Progress
    ) -> BoolArray:
        """The object ``(z, y, x)`` on the image's own voxels."""
        self._last_size = 0
        if prompts.base is not None or not (prompts.bounds or prompts.positives):
            return refine.segment(self._levels, prompts, excluded, progress)
        key, start = self._start(prompts, progress)
        full = self._replayed(key, start, prompts, progress).copy()
        for seed in prompts.seeds:
            full[tuple(seed.voxels.T)] = seed.positive
        if excluded is not None:
            full[excluded.slices] &= ~excluded.crop
        return full

    @property
    def notes(self) -> tuple[str, ...]:
        """That the newest prompt of the last request has its largest or smallest size."""
        return {1: (LARGEST,), -1: (SMALLEST,)}.get(self._last_size, ())

    def _start(self, prompts: EmbeddedPrompts, progress: Progress) -> tuple[Key, Start]:
        bounds = tuple(
            (tuple(a.tolist()), tuple(b.tolist()), flat)
            for (a, b), flat in zip(prompts.bounds, prompts.flat, strict=True)
        )
        first = () if bounds else _key(prompts.positives[0], sized=False)
        key: Key = (bounds, first)
        if self._started is None or self._started[0] != key:
            start = start_of(self._levels, prompts, progress)
            if self._other is not None:
                start = self._other.start(prompts, start)
            self._started = key, start
        start = self._started[1]
        step = 0 if bounds else prompts.positives[0].size_step
        if step and start.seed is not None:
            resized = resized_start(self._levels, start.mask, prompts.positives[0])
            start = Start(resized.mask, start.seed)
            self._last_size = int(np.sign(step)) if resized.is_last else 0
        return (*key, step), start

    def _replayed(
        self, key: Key, start: Start, prompts: EmbeddedPrompts, progress: Progress
    ) -> BoolArray:
        seeds = prompts.seeds
        keys = [_key(seed) for seed in seeds]
        mask, done = start.mask, 0
        step = self._step
        if step is not None and step.start == key and step.seeds == keys[: len(step.seeds)]:
            mask, done = step.mask, len(step.seeds)
            self._last_size = step.last_size
        first = next((i for i, s in enumerate(seeds) if s.positive), None)
        first = first if start.seed is not None else None
        for i in range(done, len(seeds)):
            progress(0.5 + 0.5 * i / len(seeds), "correcting the mask")
            if i != first:
                before = [s for k, s in enumerate(seeds) if k < i or k == first]
                self._last_size = 0
                known = replace(prompts, seeds=seeds[: i + 1])
                mask = self._after(mask, start, known, before, progress)
        self._step = _Step(key, keys, mask, self._last_size)
        return mask

    def _after(
        self,
        mask: BoolArray,
        start: Start,
        prompts: EmbeddedPrompts,
        before: list[Seed],
        progress: Progress,
    ) -> BoolArray:
        """The mask after the newest of the seeds."""
        seed = prompts.seeds[-1]
        if not (mask[tuple(seed.voxels.T)] != seed.positive).any():
            return mask
        after = self._changed(mask, start, prompts.seeds, before, progress)
        if self._other is not None and not start.tissue:
            after = self._other.change(prompts, mask, after)
        if not seed.size_step:
            return after
        resized = resized_change(self._levels, mask, after, seed, before)
        self._last_size = int(np.sign(seed.size_step)) if resized.is_last else 0
        return resized.mask

    def _changed(
        self,
        mask: BoolArray,
        start: Start,
        seeds: list[Seed],
        before: list[Seed],
        progress: Progress,
    ) -> BoolArray:
        """The mask after the newest seed, which contradicts it, at its own extent."""
        seed = seeds[-1]
        thing = None if seed.positive else without_branches(self._levels, mask, seeds)
        if thing is not None:
            return thing
        if start.tissue:
            if np.count_nonzero(mask) >= FEWEST:
                after = self._same_tissue(mask, seeds, progress)
                if not self._doubles(mask, after, seed):
                    mask = after
            return self._corrected(mask, seed, before, careful=True)
        again = self._again(mask, seeds, before)
        mask = self._corrected(mask, seed, before)
        if again is None:
            return mask
        first = next(s for s in before if s.positive)
        better = rated(self._levels, again, first)[0] > rated(self._levels, mask, first)[0] + DRAW
        return again if better else mask

    def _again(self, mask: BoolArray, seeds: list[Seed], before: list[Seed]) -> BoolArray | None:
        """Another proposal, if the newest seed says that the core of the mask is wrong."""
        seed = seeds[-1]
        if seed.positive or not mask[tuple(seed.voxels.T)].any() or len(seeds) > AGAIN:
            return None
        if not any(s.positive for s in before):
            return None
        box = bounding_box(mask)
        deep = depth_mm(mask[box], self._levels.spacing)
        at = seed.voxels - [s.start for s in box]
        at = at[(at >= 0).all(1) & (at < deep.shape).all(1)]
        if float(deep[tuple(at.T)].max()) < CORE * float(deep.max()):
            return None
        return agreeing(self._levels, [*before, seed])

    def _doubles(self, mask: BoolArray, after: BoolArray, seed: Seed) -> bool:
        """Whether a positive seed more than doubles an object of the size that clicks mean."""
        size, added = np.count_nonzero(mask), np.count_nonzero(after & ~mask)
        return bool(seed.positive and not self._is_large(mask) and added > DOUBLE * size)

    def _is_large(self, mask: BoolArray) -> bool:
        """Whether an object is larger than what is looked for around a click."""
        return bool(np.count_nonzero(mask) * np.prod(self._levels.spacing) > LARGEST_MM3)

    def _same_tissue(self, mask: BoolArray, seeds: list[Seed], progress: Progress) -> BoolArray:
        """The mask after a seed that may change the intensities of the object's tissue.

        A change that contradicts the seed somewhere is not made. The first seeds change the object
        everywhere if it is larger than what is looked for around a click, or if nearly all of the
        change is connected with the seed; later ones change it around the seed.
        """
        seed = seeds[-1]
        at = seed.voxels[mask[tuple(seed.voxels.T)] != seed.positive]
        wanted = refine.segment(self._levels, EmbeddedPrompts(seeds=seeds), None, progress)
        change = wanted != mask
        meant = change & (wanted == seed.positive)
        total, agreed = np.count_nonzero(change), np.count_nonzero(meant)
        if agreed < AGREED * total and not seed.positive:
            return mask
        meant[tuple(at.T)] = True
        part = connected(meant, at)
        large = self._is_large(mask)
        if len(seeds) <= TISSUE:
            if agreed >= AGREED * total and (large or np.count_nonzero(part) >= CONNECTED * total):
                return wanted
        else:
            part = near_only(self._levels, mask, part, at, seed.positive, thin=not large)
        mask = mask.copy()
        mask[part] = seed.positive
        return mask

    def _corrected(
        self, mask: BoolArray, seed: Seed, before: list[Seed], careful: bool = False
    ) -> BoolArray:
        if len(seed.voxels) <= MANY:
            return corrected(self._levels, mask, seed, before, careful)
        mask = mask.copy()
        mask[tuple(seed.voxels.T)] = seed.positive
        return mask


def _key(seed: Seed, sized: bool = True) -> Key:
    return seed.positive, seed.kind, seed.voxels.tobytes(), seed.size_step if sized else 0
