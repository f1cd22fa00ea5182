"""Models that know structures by name, and their masks as answers to phrases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Backend, Progress
from napari_medvlm.backends.memory.fallback import MemoryFallbacks
from napari_medvlm.data.errors import BackendFailed
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound, Scope
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.structure_names import Match, Names, Synonyms

EVERYTHING = "everything"
"""The phrase that asks for all names at once."""
MAX_CACHED_VOLUMES = 4
"""Of how many volumes the masks are kept; cut to their boxes, they are small."""
NAMED = 30
"""How many names an answer lists before it only counts them."""


class LabelledBackend(Backend, ABC):
    """A backend whose model knows some structures by name, and segments them in a whole volume.

    A phrase is matched to the names as `napari_medvlm.language.structure_names` does;
    *everything* asks for all of them. The segmentation of a volume is cached, so that a second
    phrase costs nothing. A model of several images, see `Backend.channel_names`, gets those of the
    query; its masks lie on the volume's grid.
    """

    supports_all_structures = True

    _volume: Volume
    _images: tuple[Volume, ...]
    """What the model sees: the images of its channels, or the volume alone."""

    def __init__(self) -> None:
        self._cached: OrderedDict[str, dict[str, Mask]] = OrderedDict()
        self._ladder = MemoryFallbacks(self.info.title, "the device")

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names that the loaded model knows."""

    @property
    def everything(self) -> tuple[str, ...]:
        """The names that are meant by *everything*."""
        return self.names

    @abstractmethod
    def masks(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        """The masks of names in the volume, also of others if they cost nothing more.

        A name that is left out has no voxel.
        """

    def all_masks(self, progress: Progress) -> Mapping[str, Mask]:
        """The masks of *everything* in the volume."""
        return self._segmented(self.everything, progress)

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._ladder.renew()
        self._volume, self._images = volume, (volume,)

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """The masks of the names that the phrases mean, if they reach into the scope."""
        self._images = tuple(c.volume for c in query.channels) or (self._volume,)
        grounding, notes = self._ladder.tried(lambda: self._grounded(query, progress), progress)
        return replace(grounding, notes=(*grounding.notes, *notes))

    def _grounded(self, query: GroundQuery, progress: Progress) -> Grounding:
        progress(0.0, "looking up the structures")
        names = Names(self.names, Synonyms.load())
        meant = {p: self._meant(query.prompt_of(p), names) for p in query.phrases}
        wanted = dict.fromkeys(
            match.name
            for phrase, matches in meant.items()
            for match in matches
            if not _is_everything(query.prompt_of(phrase))
        )
        masks = self._segmented(list(wanted), progress)
        results: list[list[Region] | NotFound] = []
        for phrase, matches in meant.items():
            everything = _is_everything(query.prompt_of(phrase))
            here = self.all_masks(progress) if everything else masks
            results.append(self._of(phrase, matches, here, query.scope, names))
        progress(1.0, "done")
        return Grounding(
            regions=tuple(r for answer in results if isinstance(answer, list) for r in answer),
            not_found=tuple(answer for answer in results if isinstance(answer, NotFound)),
            prompts={p: ", ".join(m.name for m in matches) for p, matches in meant.items()},
        )

    def _meant(self, phrase: str, names: Names) -> tuple[Match, ...]:
        """The names that match a phrase: the exact name, or else all similar ones."""
        if _is_everything(phrase):
            return tuple(Match(name, 1.0) for name in self.everything)
        matches = names.find(phrase)
        exact = tuple(match for match in matches if match.score == 1.0)
        return exact or matches

    def _segmented(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        digest = " ".join(image.digest for image in self._images)
        cached = self._cached.setdefault(digest, {})
        self._cached.move_to_end(digest)
        while len(self._cached) > MAX_CACHED_VOLUMES:
            self._cached.popitem(last=False)
        lacking = [name for name in names if name not in cached]
        if lacking:
            empty = Mask.empty(self._volume.shape)
            cached.update(dict.fromkeys(lacking, empty) | dict(self.masks(lacking, progress)))
        return cached

    def _of(
        self,
        phrase: str,
        matches: Sequence[Match],
        masks: Mapping[str, Mask],
        scope: Scope,
        names: Names,
    ) -> list[Region] | NotFound:
        """The regions of one phrase, or why there is none."""
        if not matches:
            return NotFound(phrase, self._unknown(phrase, names), 0.0)
        seen = [match for match in matches if masks[match.name].voxels]
        if not seen:
            return NotFound(phrase, f"No voxel was labelled as {matches[0].name!r}.")
        grid = self._volume.grid
        regions = [  # a match of words is no confidence
            Region.of_mask(phrase, masks[m.name], grid, masks[m.name].score, m.name)
            for m in seen
            if reaches(masks[m.name], scope, self._volume)
        ]
        reason = f"{seen[0].name!r} lies outside the selected slices."
        return regions or NotFound(phrase, reason)

    def _unknown(self, phrase: str, names: Names) -> str:
        near = names.nearest(phrase)
        hint = f"; the nearest is {near.name!r}" if near is not None and near.score > 0 else ""
        listed = ", ".join(self.names[:NAMED])
        more = f" and {len(self.names) - NAMED} more" if len(self.names) > NAMED else ""
        return f"The model has no such structure{hint}. Structures: {listed}{more}."


def masks_of_values(values: NDArray[Any], names: Mapping[int, str]) -> dict[str, Mask]:
    """The masks of a label image ``(z, y, x)`` whose values have names; those with voxels."""
    from scipy import ndimage

    integers = np.rint(values).astype(np.int32)
    boxes = ndimage.find_objects(integers, max_label=max(names, default=0))
    masks = {}
    for value, name in names.items():
        box = boxes[value - 1] if value > 0 else None
        if box is not None:
            masks[name] = Mask(integers[box] == value, _start(box), _shape(values))
    return masks


def reaches(mask: Mask, scope: Scope, volume: Volume) -> bool:
    """Return whether a mask has voxels in the scope's slices."""
    start, stop = scope.bounds(volume.grid)
    return bool(mask.start[scope.axis] < stop and mask.stop[scope.axis] > start)


def require_shape(shape: tuple[int, ...], volume: Volume, title: str) -> None:
    """Raise `BackendFailed` unless an answer ``(..., z, y, x)`` lies on the volume's grid."""
    if tuple(shape[-3:]) != volume.shape:
        raise BackendFailed(
            f"{title} gave an answer of shape {tuple(shape[-3:])} for an image of {volume.shape}.",
            "Its configuration must lead what the network says back to the image's own grid.",
        )


def _is_everything(phrase: str) -> bool:
    return phrase.strip().casefold() == EVERYTHING


def _start(box: tuple[slice, ...]) -> Index:
    z, y, x = (int(part.start) for part in box)
    return z, y, x


def _shape(values: NDArray[Any]) -> Index:
    z, y, x = values.shape
    return z, y, x
