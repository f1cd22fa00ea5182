"""The object from its prompts in their order: a start first, then correction by correction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded import finish
from napari_medvlm.backends.embedded.levels import Levels
from napari_medvlm.backends.embedded.morph import BoolArray, components_of
from napari_medvlm.backends.embedded.proposals.correcting import corrected
from napari_medvlm.backends.embedded.proposals.sources import Start, start_of
from napari_medvlm.backends.embedded.seeds import Said, Seed
from napari_medvlm.results import Mask

import os
MODE=int(os.environ.get('EMODE','1'))
TISSUE = int(os.environ.get('ETISSUE','3'))
"""So many first seeds may change the intensities of the object's tissue."""
MANY = 2000
"""A seed of more voxels is taken as it is: nothing grows from it."""

Key = tuple[object, ...]


@dataclass(eq=False)
class _Step:
    """The mask after some of the seeds; only to be read."""

    start: Key
    seeds: list[Key]
    mask: BoolArray


class Replay:
    """Segments by replaying all prompts; remembers the last step, so that a further one is quick.

    Parameters
    ----------
    levels
        The image.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._started: tuple[Key, Start] | None = None
        self._step: _Step | None = None

    def segment(self, said: Said, excluded: Mask | None, progress: Progress) -> BoolArray:
        """The object ``(z, y, x)`` on the image's own voxels."""
        if said.base is not None or not (said.bounds or said.positives):
            return finish.segment(self._levels, said, excluded, progress)
        key, start = self._start(said, progress)
        full = self._replayed(key, start, said.seeds, progress).copy()
        for seed in said.seeds:
            full[tuple(seed.voxels.T)] = seed.positive
        if excluded is not None:
            full[excluded.slices] &= ~excluded.crop
        return full

    def _start(self, said: Said, progress: Progress) -> tuple[Key, Start]:
        bounds = tuple(
            (tuple(a.tolist()), tuple(b.tolist()), flat)
            for (a, b), flat in zip(said.bounds, said.flat, strict=True)
        )
        first = () if bounds else _key(said.positives[0])
        key: Key = (bounds, first)
        if self._started is None or self._started[0] != key:
            self._started = key, start_of(self._levels, said, progress)
        return key, self._started[1]

    def _replayed(self, key: Key, start: Start, seeds: list[Seed], progress: Progress) -> BoolArray:
        keys = [_key(seed) for seed in seeds]
        mask, done = start.mask, 0
        step = self._step
        if step is not None and step.start == key and step.seeds == keys[: len(step.seeds)]:
            mask, done = step.mask, len(step.seeds)
        for i, seed in enumerate(seeds[done:], done):
            progress(0.5 + 0.5 * i / len(seeds), "correcting the mask")
            before = [s for s in seeds if s is start.seed or s in seeds[:i]]
            if start.tissue and i < TISSUE and seed is not start.seed:
                mask = self._same_tissue(mask, seeds[: i + 1], seed, progress)
            mask = self._corrected(mask, seed, before)
        self._step = _Step(key, keys, mask)
        return mask

    def _same_tissue(
        self, mask: BoolArray, seeds: list[Seed], seed: Seed, progress: Progress
    ) -> BoolArray:
        """The mask after a seed that may change the intensities of the object's tissue.

        Only what is connected with the seed changes, and only as the seed says.
        """
        if not (mask[tuple(seed.voxels.T)] != seed.positive).any():
            return mask
        if not any(s.positive for s in seeds):
            return mask
        wanted = finish.segment(self._levels, Said(seeds=seeds), None, progress)
        if MODE==0: return wanted
        change = (wanted != mask) & (wanted == seed.positive)
        change[tuple(seed.voxels.T)] = True
        changed = components_of(change, seed.voxels)
        mask = mask.copy()
        mask[changed] = seed.positive
        return mask

    def _corrected(self, mask: BoolArray, seed: Seed, before: list[Seed]) -> BoolArray:
        if len(seed.voxels) <= MANY:
            return corrected(self._levels, mask, seed, before)
        mask = mask.copy()
        mask[tuple(seed.voxels.T)] = seed.positive
        return mask


def _key(seed: Seed) -> Key:
    return seed.positive, seed.kind, seed.voxels.tobytes()
