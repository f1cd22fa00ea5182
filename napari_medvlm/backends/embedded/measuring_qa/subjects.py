"""Subjects of questions: objects, labels, and structures of the atlas."""

from __future__ import annotations

from dataclasses import dataclass

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.grounder import Grounder
from napari_medvlm.backends.embedded.atlas.label_names import on_grid
from napari_medvlm.data.answer import Question
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.structure_names import Names, Synonyms

NEAR = 0.25
"""Score from which a name is offered for another word."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Something with a name and a place.

    Parameters
    ----------
    source
        Where the place comes from: ``"object"``, a label image's title, or ``"atlas"``.
    """

    name: str
    region: Region
    source: str

    @property
    def mask(self) -> Mask | None:
        """Its voxels, if they are known."""
        return self.region.mask


class Subjects:
    """All named subjects of questions about a volume."""

    def __init__(self, volume: Volume, question: Question, grounder: Grounder) -> None:
        self._volume = volume
        self._grounder = grounder
        self.known = [*_objects(volume, question), *_labels(volume, question)]
        self._names = Names(tuple(s.name for s in self.known), Synonyms.load())

    def find(self, words: str, progress: Progress) -> list[Subject]:
        """Subjects that match the words: objects and labels, or else atlas structures."""
        named = {match.name for match in self._names.find(words)}
        matches = [subject for subject in self.known if subject.name in named]
        return matches or self._from_atlas(words, progress)

    def nearest(self, words: str) -> str:
        """The name that comes nearest to words that name nothing; empty if none is near."""
        near = [self._names.nearest(words), self._grounder.nearest_structure(words)]
        best = max(filter(None, near), key=lambda match: match.score, default=None)
        return best.name if best is not None and best.score >= NEAR else ""

    def _from_atlas(self, words: str, progress: Progress) -> list[Subject]:
        regions = self._grounder.ground(GroundQuery((words,)), progress).regions
        structures = [region for region in regions if not region.name.startswith("place: ")]
        return [Subject(region.name, region, "atlas") for region in structures]


def _objects(volume: Volume, question: Question) -> list[Subject]:
    return [
        Subject(o.name, Region.of_mask(o.name, o.mask, volume.grid, None, o.name), "object")
        for o in question.objects
        if o.mask.voxels
    ]


def _labels(volume: Volume, question: Question) -> list[Subject]:
    subjects = []
    for labels in question.labels:
        regions = on_grid(labels, volume.grid)
        for value, name in labels.names.items():
            mask = regions.mask_of(value) if value and value in regions.present else None
            if mask is not None and mask.voxels:
                region = Region.of_mask(name, mask, volume.grid, None, name)
                subjects.append(Subject(name, region, labels.title))
    return subjects
