"""Where phrases are, by the labels that a patient has and by the brain atlas."""

from __future__ import annotations

from napari_medvlm.backends.anatomy.atlas import Atlas
from napari_medvlm.backends.anatomy.named import NamedRegions
from napari_medvlm.backends.anatomy.structures import structures
from napari_medvlm.backends.base import Progress
from napari_medvlm.grounding import Grounding, GroundQuery, NotFound, Region, Scope
from napari_medvlm.language.names import Match, Names, Synonyms
from napari_medvlm.volume import Volume


class Grounder:
    """Looks first among the names of the patient's label images, then in the brain atlas.

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

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """The regions of all phrases, or why there is none."""
        named = [NamedRegions(labels, self._volume, self._synonyms) for labels in query.labels]
        regions: list[Region] = []
        missing: list[NotFound] = []
        for k, phrase in enumerate(query.phrases):
            progress(k / len(query.phrases), f"looking for {phrase}")
            found = self._of(phrase, named, progress)
            if isinstance(found, NotFound):
                missing.append(found)
                continue
            inside = [region for region in found if self._in_scope(region, query.scope)]
            regions += inside
            if not inside:
                reason = "It lies outside the slices that were asked about."
                missing.append(NotFound(phrase, reason, found[0].score))
        return Grounding(tuple(regions), tuple(missing))

    def _of(
        self, phrase: str, named: list[NamedRegions], progress: Progress
    ) -> list[Region] | NotFound:
        """Its regions, or why there is none."""
        for labels in named:
            found = labels.regions(phrase)
            if found:
                return found
        matches = self._atlas_names.find(phrase)
        if not matches:
            return self._unknown(phrase, named)
        refusal = self._atlas.refusal(progress)
        if refusal is not None:
            return NotFound(phrase, refusal, 0.0)
        fit = self._atlas.fit(progress)
        carried = [
            self._atlas.region(phrase, structures()[m.name], round(m.score * fit, 4), progress)
            for m in matches
        ]
        found = [region for region in carried if region is not None]
        if found:
            return found
        return NotFound(phrase, "By the brain atlas it lies outside the image.", matches[0].score)

    def _unknown(self, phrase: str, named: list[NamedRegions]) -> NotFound:
        asked = [labels.nearest(phrase) for labels in named]
        near = [m for m in (*asked, self._atlas_names.nearest(phrase)) if m is not None]
        best: Match | None = max(near, key=lambda match: match.score, default=None)
        where = (
            "The brain atlas has no structure"
            if not named
            else "Neither the label images nor the brain atlas have a structure"
        )
        nearest = f"; the nearest is {best.name!r}" if best is not None and best.score > 0 else ""
        return NotFound(phrase, f"{where} of that name{nearest}.", best.score if best else None)

    def _in_scope(self, region: Region, scope: Scope) -> bool:
        start, stop = scope.bounds(self._volume.grid)
        low, high = region.box.bounds(self._volume.grid)
        return bool(low[scope.axis] < stop and high[scope.axis] > start)
