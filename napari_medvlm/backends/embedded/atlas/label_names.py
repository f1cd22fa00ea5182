"""Phrases answered by the names of label images."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, same_grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.structure_names import Match, Names, Synonyms


class NamedRegions:
    """The regions that a label image knows by name.

    Parameters
    ----------
    labels
        On any grid in the patient's frame.
    volume
        The image that the regions are wanted on.
    """

    def __init__(self, labels: NamedLabels, volume: Volume, synonyms: Synonyms) -> None:
        self._volume = volume
        self._labels = labels
        self._values: dict[str, list[int]] = {}
        for value, name in labels.names.items():
            if value:
                self._values.setdefault(name, []).append(value)
        self._names = Names(tuple(self._values), synonyms)

    def regions(self, phrase: str, words: str) -> list[Region]:
        """One for each label that the words mean, if it has voxels; best match first."""
        return [
            Region.of_mask(phrase, mask, self._volume.grid, match.score, match.name)
            for match in self._names.find(words)
            for value in self._values[match.name]
            if (mask := self._mask(value)) is not None
        ]

    def empty(self, words: str) -> str | None:
        """Reason why a named structure has no region; `None` if nothing has that name."""
        matches = self._names.find(words)
        if not matches:
            return None
        return f"{matches[0].name!r} is a name in {self._labels.title}, but no voxel here has it."

    def nearest(self, phrase: str) -> Match | None:
        """The name that comes nearest to the phrase."""
        return self._names.nearest(phrase)

    def _mask(self, value: int) -> Mask | None:
        if value not in self._labels.present:
            return None
        mask = self._on_grid.mask_of(value)
        return mask if mask.voxels else None

    @cached_property
    def _on_grid(self) -> NamedLabels:
        return on_grid(self._labels, self._volume.grid)


def on_grid(labels: NamedLabels, grid: Grid) -> NamedLabels:
    """A label image on another grid, 0 outside: the nearest voxels."""
    if same_grid(labels.grid, grid):
        return labels
    return labels.moved(
        grid, lambda values: np.asarray(Reslice(values, labels.grid, grid, order=0))
    )
