"""Subjects of questions: objects, labels, and structures of the atlas."""

from __future__ import annotations

from dataclasses import dataclass

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.grounder import Grounder
from napari_medvlm.backends.embedded.atlas.label_names import on_grid
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable, UnknownName
from napari_medvlm.data.answer import Question
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.normalize import listed_names, words_of
from napari_medvlm.language.structure_names import Names, Synonyms

ANY_OBJECT = {"object", "structure", "segmentation", "mask", "label"}
"""Nouns for everything that was segmented."""
ORGAN = "organ"
"""Noun for what was segmented and is no lesion by its name."""
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

    @property
    def provenance(self) -> str:
        """``"atlas"`` or ``"measured"``, as the source of a claim."""
        return "atlas" if self.source == "atlas" else "measured"


def single(words: str, subjects: list[Subject]) -> Subject:
    """The only subject that words mean; raise `Unanswerable` if there are several."""
    names = list(dict.fromkeys(subject.name for subject in subjects))
    if len(names) > 1:
        raise Unanswerable(f"{words!r} may be {', '.join(names)}. Name one of them.")
    return subjects[0]


class Subjects:
    """All named subjects of questions about a volume."""

    def __init__(self, volume: Volume, question: Question, grounder: Grounder) -> None:
        self._volume = volume
        self._grounder = grounder
        self.known = [*_objects(volume, question), *_labels(volume, question)]
        self._synonyms = Synonyms.load()
        self._names = Names(tuple(s.name for s in self.known), self._synonyms)

    def find(self, words: str, progress: Progress) -> list[Subject]:
        """Subjects that match the words: objects and labels, or else atlas structures.

        Words that list several ("liver, spleen and aorta") match those of all, if all are known.
        """
        matches = self.named(words) or self._from_atlas(words, progress)
        if matches:
            return matches
        parts = listed_names(words)
        listed = [self.find(part, progress) for part in parts] if len(parts) > 1 else []
        return [subject for group in listed for subject in group] if all(listed) else []

    def named(self, words: str) -> list[Subject]:
        """Objects and labels that match the words."""
        names = {match.name for match in self._names.find(words)}
        return [subject for subject in self.known if subject.name in names]

    def segmented(self, words: str) -> list[Subject]:
        """The objects and labels that words mean; "organs" are all that are no lesions."""
        noun = words.lower().removesuffix("s")
        if noun == ORGAN:
            return [subject for subject in self.known if not self.is_lesion(subject.name)]
        return list(self.known) if noun in ANY_OBJECT else self.named(words)

    def is_lesion(self, name: str) -> bool:
        """Whether a name has a word that means a lesion, as "cyst" or "lesion"."""
        return not self._synonyms.lesions.isdisjoint(words_of(name).words)

    def require(self, words: str, progress: Progress) -> list[Subject]:
        """Like `find`; raise `Unanswerable` with the nearest name if there is none."""
        matches = self.find(words, progress)
        if not matches:
            near = self.nearest(words)
            offer = f" Did you mean {near!r}?" if near else ""
            raise UnknownName(
                f"There is no object, label or structure called {words!r}.{offer} Segment it, or "
                "load labels that name it."
            )
        return matches

    def require_masks(self, words: str, progress: Progress) -> list[Subject]:
        """Like `require`, those with a mask; raise `Unanswerable` if only boxes are known."""
        matches = self.require(words, progress)
        masked = [subject for subject in matches if subject.mask is not None]
        if not masked:
            raise Unanswerable(
                f"The atlas knows only the position of the {matches[0].name}, not its outline. "
                "Segment it to measure it."
            )
        return masked

    def require_single(self, words: str, progress: Progress, masks: bool = True) -> Subject:
        """The only subject of the words; raise `Unanswerable` if there are several."""
        find = self.require_masks if masks else self.require
        return single(words, find(words, progress))

    def from_midline_mm(self, spl_mm: FloatArray, progress: Progress) -> float:
        """How far a point is to the left of the midline of the brain; negative to the right.

        Raises
        ------
        Unanswerable
            The atlas does not apply, so the midline is unknown.
        """
        refusal = self._grounder.refusal(progress)
        if refusal is not None:
            raise Unanswerable(f"The midline is known by the brain atlas only. {refusal}")
        return self._grounder.from_midline_mm(spl_mm, progress)

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
