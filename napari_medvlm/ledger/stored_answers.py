"""Answers, tool results and image selections as they are stored in a session file."""

from __future__ import annotations

from typing import Any

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.tool_call import ToolCall, ToolResult
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.serialization import (
    Number,
    Pair,
    StoredRegion,
    Value,
)
from napari_medvlm.ledger.stored_images import StoredSliceImage


class StoredClaim(Value):
    """A sentence of an answer."""

    text: str
    regions: tuple[StoredRegion, ...] = ()
    source: str = ""
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, claim: Claim) -> StoredClaim:
        """The stored form of a claim."""
        regions = tuple(StoredRegion.whole(region) for region in claim.regions)
        return cls(text=claim.text, regions=regions, source=claim.source, problems=claim.problems)

    def claim(self, grid: Grid) -> Claim:
        """The claim, its masks as boxes."""
        regions = tuple(region.region(grid) for region in self.regions)
        return Claim(self.text, regions, self.source, self.problems)


class StoredAnswer(Value):
    """An answer; its fields as of `Answer`."""

    text: str
    claims: tuple[StoredClaim, ...] = ()
    answered: bool = True
    reason: str = ""
    images: tuple[Pair, ...] = ()
    thinking: str = ""
    choice: str = ""
    probabilities: tuple[Number, ...] = ()
    notes: tuple[str, ...] = ()
    raw_text: str = ""
    tokens: int = 0

    @classmethod
    def of(cls, answer: Answer) -> StoredAnswer:
        """The stored form of an answer."""
        return cls(
            text=answer.text,
            claims=tuple(StoredClaim.of(claim) for claim in answer.claims),
            answered=answer.answered,
            reason=answer.reason,
            images=tuple((ref.axis, ref.index) for ref in answer.images),
            thinking=answer.thinking,
            choice=answer.choice,
            probabilities=answer.probabilities,
            notes=answer.notes,
            raw_text=answer.written,
            tokens=answer.tokens,
        )

    def answer(self, grid: Grid) -> Answer:
        """The answer, its masks as boxes."""
        return Answer(
            self.text,
            tuple(claim.claim(grid) for claim in self.claims),
            self.answered,
            self.reason,
            tuple(SliceRef(*pair) for pair in self.images),
            self.thinking,
            choice=self.choice,
            probabilities=self.probabilities,
            notes=self.notes,
            written=self.raw_text,
            tokens=self.tokens,
        )


class StoredToolResult(Value):
    """A tool call and its result."""

    name: str
    arguments: dict[str, Any]
    id: str = ""
    problem: str = ""
    text: str
    failed: bool = False
    regions: tuple[StoredRegion, ...] = ()
    images: tuple[StoredSliceImage, ...] = ()

    @classmethod
    def of(cls, result: ToolResult, volume: Volume) -> StoredToolResult:
        """The stored form of a result."""
        call = result.call
        return cls(
            name=call.name,
            arguments=dict(call.arguments),
            id=call.id,
            problem=call.problem,
            text=result.text,
            failed=result.failed,
            regions=tuple(StoredRegion.whole(r, volume.grid) for r in result.regions),
            images=tuple(StoredSliceImage.of(image, volume) for image in result.pictures),
        )

    def result(self, volume: Volume) -> ToolResult:
        """The result with its masks and images."""
        return ToolResult(
            ToolCall(self.name, self.arguments, self.id, self.problem),
            self.text,
            tuple(region.region(volume.grid) for region in self.regions),
            tuple(image.slice_image(volume) for image in self.images),
            self.failed,
        )


class StoredImageSelection(Value):
    """The image selection of a question, other images by name; fields as of `ImageSelection`."""

    axis: int = 0
    start: int = 0
    stop: int | None = None
    slice_step_mm: Number = 0.0
    region: Box | None = None
    montage: int = 0
    windows: tuple[tuple[Number, Number], ...] = ()
    other_images: tuple[str, ...] = ()
    regions: tuple[StoredRegion, ...] = ()
    visual_prompting: str = ""
    box_format: str = ""
