"""A region that was found for a phrase as what is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.image_swap import Swap
from napari_medvlm.checks.occlusion import blank_volume, hidden_in_volume
from napari_medvlm.checks.paraphrases import absent_of, phrase_variants
from napari_medvlm.checks.subject import PairedRequest, Subject
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.worker.messages import GroundReply, GroundRequest, Reply

LOCATED, NOT_FOUND = "found", "not found"


class RegionSubject(Subject):
    """A region that a backend found.

    Parameters
    ----------
    request
        What was looked for.
    region
        What was found, one of perhaps several.
    """

    trivial_answers = frozenset({NOT_FOUND})
    request: GroundRequest

    def __init__(self, request: GroundRequest, region: Region) -> None:
        super().__init__(
            request, CheckedAnswer(region.name or LOCATED, LOCATED, (region,), region.score)
        )
        self.region = region

    @property
    def query(self) -> GroundQuery:
        """What was looked for."""
        return self.request.query

    @property
    def asked(self) -> str:
        """The phrase."""
        return self.region.phrase

    def read(self, reply: Reply) -> CheckedAnswer:
        """All regions of a reply."""
        assert isinstance(reply, GroundReply)
        return checked_answer(reply.grounding)

    def flaws(self) -> tuple[str, ...]:
        """A place outside the image or the scope, or a phrase that was not asked for."""
        region, grid, flaws = self.region, self.volume.grid, []
        corners = grid.to_index(region.box.corners())
        over = np.maximum(-0.5 - corners, corners - (np.array(grid.shape) - 0.5)).max()
        if over > 1:
            flaws.append(f"The box reaches {over:.0f} voxels beyond the image.")
        if region.phrase not in self.query.phrases:
            flaws.append(f"It was found for {region.phrase}, which was not asked for.")
        first, stop = self.query.scope.bounds(grid)
        ref = region.slice
        along = ref is not None and ref.axis == self.query.scope.axis
        if along and ref is not None and not first <= ref.index < stop:
            flaws.append(f"Slice {ref.index} was not to be looked at.")
        return tuple(flaws)

    def paired_requests(self) -> tuple[PairedRequest, ...]:
        """The absent twin only: a phrase that such an image cannot show."""
        phrase = absent_of(self.volume.modality, self.asked)
        message = f"It also finds {phrase}, which such an image cannot show."
        return (PairedRequest(self._look_for(phrase), phrase, NOT_FOUND, message),)

    def again(self, count: int) -> tuple[tuple[str, GroundRequest], ...]:
        """The phrase again and in other words."""
        texts = phrase_variants(self.asked, count - 1)
        return ((self.asked, self.request), *((t, self._look_for(t)) for t in texts))

    def hidden(self, boxes: Sequence[Box]) -> GroundRequest:
        """Hidden in the volume; a box on one slice on all slices, which may show the same."""
        grid = self.volume.grid
        volume = hidden_in_volume(self.volume, [_through(box, grid) for box in boxes])
        return replace(self.request, volume=volume)

    def blank(self) -> GroundRequest:
        """A grey volume."""
        return replace(self.request, volume=blank_volume(self.volume))

    @property
    def slices(self) -> tuple[SliceRef, ...]:
        """Every slice of the scope."""
        scope = replace(self.query.scope, slice_step_mm=0.0)
        return scope.slices(self.volume.grid)

    def swapped(self, swap: Swap) -> GroundRequest:
        """Another volume on the same grid."""
        return replace(self.request, volume=swap.volume)

    def sentence(self) -> str:
        """The phrase."""
        return self.asked

    def named_masks(self) -> tuple[Region, ...]:
        """None: the Ground dock has no objects."""
        return ()

    def second_request(self, backend: str, model: str | None) -> GroundRequest:
        """Have another backend look for the phrase."""
        return GroundRequest(backend, self.volume, model, self.request.device, self.query)

    def _look_for(self, phrase: str) -> GroundRequest:
        return replace(self.request, query=replace(self.query, phrases=(phrase,), prompts={}))


def _through(box: Box, grid: Grid) -> Box:
    """A box on one slice made as thick as the image."""
    if not box.is_flat(grid):
        return box
    start, stop = box.bounds(grid)
    axis = int(np.argmin(stop - start))
    start[axis], stop[axis] = 0, grid.shape[axis]
    return Box.at_index(grid, start, stop)


def checked_answer(grounding: Grounding) -> CheckedAnswer:
    """What a grounding says; of nothing found, the reason."""
    if not grounding.regions:
        reason = grounding.not_found[0].reason if grounding.not_found else "Nothing was found."
        return CheckedAnswer(reason, NOT_FOUND)
    scores = [region.score for region in grounding.regions if region.score is not None]
    names = ", ".join(dict.fromkeys(region.name or region.phrase for region in grounding.regions))
    return CheckedAnswer(names, LOCATED, grounding.regions, max(scores, default=None))
