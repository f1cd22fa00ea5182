"""An answer in the picture: its regions with numbers, what it says, and what it comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.colors import FIRST, color_of
from napari_medvlm.data.conversation import Evidence, Turn
from napari_medvlm.data.geometry.display import display_grid, patient_axes
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.evidence_layer import EvidenceLayer
from napari_medvlm.layers.orientation import (
    Plane,
    axis_across,
    describe,
    go_to,
    position_in_view,
    show_plane,
)
from napari_medvlm.layers.pairing.prior_regions import PriorRegions, in_current
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers

if TYPE_CHECKING:
    from napari import Viewer

STORY_WIDTH, STORY_LINES = 48, 4
"""Letters a line, and lines, of the question and of the answer in the picture."""
LEAST_WIDTH, CHARACTER_PX = 16, 10
"""Letters a line in a narrow canvas, and the width of a letter in pixels."""
LONGEST_NAME = 12
"""Letters of an image's name in a callout."""
NUDGE = 1e-3
"""Of a voxel: which of two slices a place just between them is on must not hang on rounding."""
STEPS_FROM = 1000
"""Numbers of the regions of steps begin here, those of claims at 0."""


@dataclass(frozen=True, eq=False)
class AnswerRegion(DisplayedRegion):
    """A region of an answer, with the numbers of the sentences that it belongs to, from 1."""

    numbers: tuple[int, ...]

    @property
    def label(self) -> str:
        """Nothing: the number says it."""
        return ""

    @property
    def callout(self) -> str:
        """The numbers of its sentences, and the name of another image that it lies in."""
        numbers, name = ",".join(map(str, self.numbers)), self.region.image_name
        return f"{numbers} ({name[:LONGEST_NAME]})" if name else numbers


def numbered(claims: Sequence[Claim], backend: str) -> list[AnswerRegion]:
    """The regions of claims, each place once, with the numbers of all sentences that name it."""
    by_key: dict[Any, AnswerRegion] = {}
    for number, claim in enumerate(claims, 1):
        for region in claim.regions:
            position = _region_key(region)
            there = by_key.get(position)
            if there is None:
                color = color_of(len(by_key) + 1)
                by_key[position] = AnswerRegion(len(by_key), region, color, backend, (number,))
            elif number not in there.numbers:
                by_key[position] = replace(there, numbers=(*there.numbers, number))
    return list(by_key.values())


def colors_of(claims: Sequence[Claim]) -> list[tuple[str, ...]]:
    """The colours of each claim's regions, as they are in the picture."""
    shown = numbered(claims, "")
    return [
        tuple(shown_region.color for shown_region in shown if number in shown_region.numbers)
        for number in range(1, len(claims) + 1)
    ]


def step_regions(steps: Sequence[ToolRound], backend: str) -> list[DisplayedRegion]:
    """The regions that tools found or looked at, oldest first."""
    named = [
        (f"{result.call.name}: {region.name or region.phrase}", region)
        for step in steps
        for result in step.results
        for region in result.regions
    ]
    return [
        DisplayedRegion(
            STEPS_FROM + position,
            replace(region, phrase=label),
            FIRST[-1 - position % len(FIRST)],
            backend,
        )
        for position, (label, region) in enumerate(named)
    ]


class AnswerLayers:
    """The regions of one answer in one viewer, with numbers; a text of what it says; its evidence.

    Parameters
    ----------
    viewer, volume
        Where they are shown, and what they lie in.
    on_chosen
        Called with the number of the claim, from 0, whose region a person selects.
    """

    def __init__(self, viewer: Viewer, volume: Volume, on_chosen: Callable[[int], None]) -> None:
        self.viewer = viewer
        self.volume = volume
        self._on_chosen = on_chosen
        self._shown: Mapping[int, AnswerRegion] = {}
        self._chosen: int | None = None
        self._visible = True
        self._turn: Turn | None = None
        self._story = ""
        self._regions = RegionLayers(viewer, volume, "Answer", self._on_region, "found answer")
        self._prior = PriorRegions(
            viewer, volume, "Answer in prior", self._on_region, "found prior"
        )
        self._steps = RegionLayers(viewer, volume, "Steps", lambda _: None, "found step")
        self._evidence = EvidenceLayer(viewer, volume)
        self._explained: Evidence | None = None
        viewer.canvas.overlays.text.events.text.connect(self._on_text)
        viewer.canvas.events.size.connect(self._on_resized)

    @property
    def chosen(self) -> int | None:
        """The number of the claim that is lit up, from 0."""
        return self._chosen

    @property
    def regions(self) -> tuple[AnswerRegion, ...]:
        """All regions of the answer."""
        return tuple(self._shown.values())

    @property
    def visible(self) -> bool:
        """Whether anything of the answer is to be seen in the picture."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._visible = visible
        self._show_or_hide()

    def show(self, turn: Turn | None) -> None:
        """Show the answer of an exchange and of no other."""
        self._chosen = None
        claims = _claims(turn)
        backend = "" if turn is None else turn.backend
        shown = [
            replace(s, region=in_current(s.region, self.viewer, self.volume))
            for s in numbered(claims, backend)
        ]
        self._shown = {shown_region.key: shown_region for shown_region in shown}
        for layers, is_other in ((self._regions, False), (self._prior, True)):
            layers.choose()
            layers.show([s for s in shown if bool(s.region.image_name) is is_other])
        self._steps.show([] if turn is None else step_regions(turn.steps, backend))
        self._explained = None if turn is None else turn.evidence
        self._turn = turn
        self._story = self._caption()
        self._show_or_hide()

    def choose(self, claim: int | None, *, go: bool = True) -> None:
        """Light up the regions of a claim, and go to them; `None`: of none."""
        self._chosen = claim
        lit = [
            shown_region
            for shown_region in self._shown.values()
            if claim is not None and claim + 1 in shown_region.numbers
        ]
        if lit and go:
            look_at(self.viewer, self.volume, [shown_region.region for shown_region in lit])
        for layers in (self._regions, self._prior):
            layers.choose(*(shown_region.key for shown_region in lit))
        self._show_or_hide()

    def close(self) -> None:
        """Take everything away."""
        self.viewer.canvas.overlays.text.events.text.disconnect(self._on_text)
        self.viewer.canvas.events.size.disconnect(self._on_resized)
        self._story = ""
        self._show_story()
        self._evidence.close()
        self._regions.close()
        self._prior.close()
        self._steps.close()

    def _on_region(self, key: int) -> None:
        """Select the sentence about this region and the fewest others."""
        numbers = self._shown[key].numbers
        self._on_chosen(min(numbers, key=self._count) - 1)

    def _count(self, number: int) -> int:
        return sum(number in shown_region.numbers for shown_region in self._shown.values())

    def _show_or_hide(self) -> None:
        for layers in (self._regions, self._prior, self._steps):
            for layer in layers:
                layer.visible = self._visible
        self._evidence.show(self._explained, visible=self._visible)
        self._show_story()

    def _on_text(self, _: Any) -> None:
        """Others write where the planes are: the answer is put above it."""
        if self._story and self._visible and self._story not in self._overlay.text:
            self._show_story()

    def _on_resized(self, _: Any) -> None:
        """Break the lines of the answer where the canvas is too narrow for them."""
        story = self._caption()
        if story != self._story:
            self._story = story
            self._show_story()

    def _caption(self) -> str:
        width = int(self.viewer.canvas.size[1]) // CHARACTER_PX
        return "" if self._turn is None else caption(self._turn, width)

    def _show_story(self) -> None:
        self._overlay.text = "\n".join(
            part for part in (self._story if self._visible else "", describe(self.viewer)) if part
        )
        add_panel(self._overlay)
        self._overlay.visible = True

    @property
    def _overlay(self) -> Any:
        return self.viewer.canvas.overlays.text


def look_at(viewer: Viewer, volume: Volume, regions: Sequence[Region]) -> None:
    """Move the planes so that as many of some regions as can be are seen.

    A region that was found on slices of another plane than the one in view brings that plane.
    """
    cut = next((region.slice for region in regions if region.slice is not None), None)
    if cut is not None:
        show_slice_plane(viewer, volume, cut)
    centers = [region.center_mm for region in regions]
    axis = axis_across(viewer)
    places = [np.mean(centers, axis=0), *centers]
    best = max(places, key=lambda point: sum(_spans(region, axis, point) for region in regions))
    grid = display_grid(volume.grid)  # a place between two slices could be on either
    go_to(viewer, grid.to_world(np.round(grid.to_index(best) - NUDGE)).tolist())


def show_slice(viewer: Viewer, volume: Volume, cut: SliceRef) -> None:
    """Show the plane and the place of a slice; where the other planes are stays."""
    show_slice_plane(viewer, volume, cut)
    at = volume.grid.to_index(position_in_view(viewer))
    at[cut.axis] = cut.index
    go_to(viewer, volume.grid.to_world(at).tolist())


def show_slice_plane(viewer: Viewer, volume: Volume, cut: SliceRef) -> None:
    """Show the plane that a slice lies in, if another one is shown."""
    across = patient_axes(volume.grid.affine).index(cut.axis)
    if viewer.dims.ndisplay == 2 and viewer.dims.ndim >= 3 and axis_across(viewer) != across:
        show_plane(viewer, tuple(Plane)[across])


def caption(turn: Turn, width: int = STORY_WIDTH) -> str:
    """The question and the short answer, in lines of ``width`` letters at most."""
    answer = turn.answer
    if answer is None:
        return ""
    return "\n".join([_cut(f"Q: {turn.question}", width), _cut(f"A: {short(answer)}", width)])


def short(answer: Answer) -> str:
    """The answer in a few words: the option chosen, or its first sentence."""
    if answer.choice:
        return answer.choice
    if not answer.answered:
        return "Not answered."
    return answer.claims[0].text if answer.claims else answer.text


def _cut(text: str, width: int) -> str:
    width = min(max(width, LEAST_WIDTH), STORY_WIDTH)
    lines = textwrap.wrap(" ".join(text.split()), width)
    if len(lines) > STORY_LINES:
        lines = [*lines[: STORY_LINES - 1], lines[STORY_LINES - 1][: width - 1] + "…"]
    return "\n".join(lines)


def _claims(turn: Turn | None) -> tuple[Claim, ...]:
    return () if turn is None or turn.answer is None else turn.answer.claims


def _region_key(region: Region) -> Any:
    return (
        region.kind,
        region.name,
        region.slice,
        region.image_name,
        *np.round(region.bounds_mm, 3).ravel().tolist(),
    )


def _spans(region: Region, axis: int, position: Any) -> bool:
    low, high = region.bounds_mm[:, axis]
    return bool(low <= position[axis] <= high)
