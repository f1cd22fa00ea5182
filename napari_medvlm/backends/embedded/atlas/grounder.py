"""Locate phrases by the patient's label images and by the brain atlas."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.atlas import Atlas
from napari_medvlm.backends.embedded.atlas.label_names import NamedRegions
from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.data.geometry.grid import FloatArray, Index
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound, Scope
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.normalize import listed_names, words_of
from napari_medvlm.language.structure_names import Match, Names, Synonyms

LOCATION_PREPOSITION = re.compile(r"\b(?:in|of|within|at|near|along) (?:the )?", re.IGNORECASE)
"""What stands before the place of a finding: "an infarct in the right putamen"."""
WHOLE = re.compile(r" (?:of|in) the (?:brain|head|cerebrum)$", re.IGNORECASE)
"""What adds nothing to the name of a part of it: "grey matter of the brain"."""
CORTEX_OF = re.compile(
    r"^(?:the )?cortex of (?:the )?(?=.*\b(?:gyrus|cuneus|precuneus|lobule)\b)", re.I
)
"""What adds nothing to the name of a part of the cortex."""
ELSEWHERE = re.compile(
    r"\b(?:outside|opposite|away|instead|beyond|except|contralateral|absence|lack)\b"
    r"|\bnot (?:in|of|within|at)\b",
    re.IGNORECASE,
)
"""With these a phrase names a place that the finding is not in: "outside of the brain"."""
OTHER_THAN = re.compile(
    r",? (?:other than|except(?: for)?|excluding|apart from|besides|but) (?:the )?", re.IGNORECASE
)
"""What stands between several structures and those of them that are not meant."""
LOCATION_SCORE_FACTOR = 0.5
"""The factor of a score if only the usual position of a finding is known."""

MAX_NAMED_REGIONS = 4
"""How many label images are remembered with their regions."""

AT_MOST = 3
"""How many structures are listed for one position."""


class Grounder:
    """Locate phrases in the patient's label images first, then in the brain atlas.

    A finding that neither knows is given the place that its phrase names, and is called so: the
    region is then that of the place, not of the finding.

    Parameters
    ----------
    volume
        The patient's image.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._synonyms = Synonyms.load()
        self._atlas = Atlas(volume)
        self._atlas_names = Names(tuple(structures()), self._synonyms)
        self._named: OrderedDict[Hashable, NamedRegions] = OrderedDict()

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """The regions of all phrases, or why there is none."""
        named = [self._named_regions(labels) for labels in query.labels]
        regions: list[Region] = []
        missing: list[NotFound] = []
        for k, phrase in enumerate(query.phrases):
            progress(k / len(query.phrases), f"looking for {phrase}")
            result = self._of(phrase, named, progress)
            if isinstance(result, NotFound):
                missing.append(result)
                continue
            inside = [region for region in result if self._in_scope(region, query.scope)]
            regions += inside
            if not inside:
                reason = "It lies outside the selected slices."
                missing.append(NotFound(phrase, reason, result[0].score))
        return Grounding(tuple(regions), tuple(missing))

    def structures_at(self, index: Index, progress: Progress) -> list[Region]:
        """The atlas's structures whose mask or box holds a voxel ``(z, y, x)``, smallest first.

        Wholes and tissues, which hold others, are left out. Empty if the image shows no head.
        """
        if self._atlas.refusal(progress) is not None:
            return []
        fit = round(self._atlas.fit(progress), 4)
        parts = [s for s in structures().values() if s.tissue in ("", "fluid")]
        here = [self._atlas.region(s.name, s, fit, progress) for s in parts]
        held = [r for r in here if r is not None and _holds(r, index, self._volume)]
        return sorted(held, key=lambda r: (r.mask is None, _volume_mm3(r)))[:AT_MOST]

    def refusal(self, progress: Progress) -> str | None:
        """Why the atlas does not apply to the image; `None` if it does."""
        return self._atlas.refusal(progress)

    def from_midline_mm(self, spl_mm: FloatArray, progress: Progress) -> float:
        """How far a point is to the left of the atlas's midline; negative to the right."""
        return self._atlas.from_midline_mm(spl_mm, progress)

    def nearest_structure(self, phrase: str) -> Match | None:
        """The atlas structure whose name fits a phrase best; `None` if none shares a word."""
        return self._atlas_names.nearest(phrase)

    def _named_regions(self, labels: NamedLabels) -> NamedRegions:
        """The regions of a label image; the same object for equal label images."""
        grid = labels.grid
        key = (
            labels.digest, grid.shape, grid.affine.tobytes(), labels.title,
            tuple(labels.names.items()),
        )  # fmt: skip
        if key not in self._named:
            self._named[key] = NamedRegions(labels, self._volume, self._synonyms)
        self._named.move_to_end(key)
        while len(self._named) > MAX_NAMED_REGIONS:
            self._named.popitem(last=False)
        return self._named[key]

    def _of(
        self, phrase: str, named: list[NamedRegions], progress: Progress
    ) -> list[Region] | NotFound:
        """Regions of the phrase, else of the location that it names, or the reason for none."""
        for words in (phrase, WHOLE.sub("", phrase), CORTEX_OF.sub("", phrase)):
            result = self._known(phrase, words, named, progress)
            if result is not None:
                return result
        others = self._others(phrase, named, progress)
        if others:
            return others
        if ELSEWHERE.search(phrase):
            return self._unknown(phrase, named)
        listed = self._listed(phrase, named, progress)
        if listed:
            return listed
        _, _, location = LOCATION_PREPOSITION.sub("\0", phrase).rpartition("\0")
        result = self._location(phrase, location, named, progress) if location != phrase else None
        if isinstance(result, list):
            return [
                replace(
                    r,
                    name=f"place: {r.name}",
                    score=round((r.score or 1) * LOCATION_SCORE_FACTOR, 4),
                )
                for r in result
            ]
        return result or self._unknown(phrase, named)

    def _others(self, phrase: str, named: list[NamedRegions], progress: Progress) -> list[Region]:
        """Regions of "the ventricles other than the fourth"; none unless all names are known."""
        names = OTHER_THAN.split(phrase)
        if len(names) != 2:
            return []
        whole = self._known(phrase, names[0], named, progress)
        noun = names[0].split()[-1]
        for words in (names[1], f"{re.sub(r' ones?$', '', names[1])} {noun}"):
            part = self._known(phrase, words, named, progress)
            if isinstance(whole, list) and isinstance(part, list):
                apart = {region.name for region in part}
                if apart < {region.name for region in whole}:
                    return [region for region in whole if region.name not in apart]
        return []

    def _location(
        self, phrase: str, location: str, named: list[NamedRegions], progress: Progress
    ) -> list[Region] | NotFound | None:
        """The regions of a location, on the side that the phrase names for it or for what is there.

        "Left half of the cerebellum" lies in the left hemisphere of it.
        """
        sides = words_of(phrase).sides
        if len(sides) == 1 and not words_of(location).sides:
            sided = f"{next(iter(sides)).value} {location}"
            result = self._known(phrase, sided, named, progress)
            if result is not None:
                return result
        return self._known(phrase, location, named, progress)

    def _listed(self, phrase: str, named: list[NamedRegions], progress: Progress) -> list[Region]:
        """Regions of all structures that a phrase lists with "and"; none unless all are known.

        A side behind the last one is the side of all: "putamen and caudate on the left".
        """
        parts = listed_names(phrase)
        regions: list[Region] = []
        for part in parts if len(parts) > 1 else ():
            known = self._known(phrase, part, named, progress)
            if not isinstance(known, list):
                return []
            regions += known
        return regions

    def _known(
        self, phrase: str, words: str, named: list[NamedRegions], progress: Progress
    ) -> list[Region] | NotFound | None:
        """The regions of all that the words name; `None` if nothing has such a name."""
        for labels in named:
            regions = labels.regions(phrase, words)
            if regions:
                return regions
        matches = self._atlas_names.find(words)
        if not matches:
            return None
        refusal = self._atlas.refusal(progress)
        if refusal is not None:
            return NotFound(phrase, refusal, 0.0)
        fit = self._atlas.fit(progress)
        carried = [
            self._atlas.region(phrase, structures()[m.name], round(m.score * fit, 4), progress)
            for m in matches
        ]
        inside = [region for region in carried if region is not None]
        if inside:
            return inside
        return NotFound(
            phrase, "According to the brain atlas it lies outside the image.", matches[0].score
        )

    def _unknown(self, phrase: str, named: list[NamedRegions]) -> NotFound:
        empty = next((text for labels in named if (text := labels.empty(phrase))), None)
        if empty is not None:
            return NotFound(phrase, empty, 0.0)
        asked = [labels.nearest(phrase) for labels in named]
        near = [m for m in (*asked, self._atlas_names.nearest(phrase)) if m is not None]
        best: Match | None = max(near, key=lambda match: match.score, default=None)
        sources = (
            "The brain atlas has no structure"
            if not named
            else "Neither the label images nor the brain atlas have a structure"
        )
        nearest = f"; the nearest is {best.name!r}" if best is not None and best.score > 0 else ""
        return NotFound(phrase, f"{sources} of that name{nearest}.", best.score if best else 0.0)

    def _in_scope(self, region: Region, scope: Scope) -> bool:
        start, stop = scope.bounds(self._volume.grid)
        low, high = region.box.bounds(self._volume.grid)
        return bool(low[scope.axis] < stop and high[scope.axis] > start)


def _holds(region: Region, index: Index, volume: Volume) -> bool:
    if region.mask is not None:
        return bool(region.mask.full()[index])
    edges = np.array(region.box.edges_mm)
    offset = volume.grid.to_world(index) - np.array(region.box.corner_mm)
    along = np.linalg.solve(edges.T, offset)
    return bool(((along >= 0) & (along <= 1)).all())


def _volume_mm3(region: Region) -> float:
    return abs(float(np.linalg.det(np.array(region.box.edges_mm))))
