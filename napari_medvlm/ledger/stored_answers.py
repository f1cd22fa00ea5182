"""Answers, tool results and image selections as they are stored in a session file."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.tool_call import ToolCall, ToolResult
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.serialization import (
    Number,
    StoredRegion,
    StoredSlice,
    Value,
    restored,
)
from napari_medvlm.ledger.stored_images import StoredSliceImage


class StoredClaim(Value):
    """A sentence of an answer; validated from a `Claim`."""

    model_config = ConfigDict(from_attributes=True)

    text: str
    regions: tuple[StoredRegion, ...] = ()
    source: str = ""
    problems: tuple[str, ...] = ()

    def claim(self, grid: Grid) -> Claim:
        """The claim, its masks as boxes."""
        return restored(Claim, self, regions=tuple(region.region(grid) for region in self.regions))


class StoredAnswer(Value):
    """An answer, its fields as of `Answer`; validated from one.

    Attributes
    ----------
    raw_text
        `Answer.written`.
    """

    model_config = ConfigDict(from_attributes=True)

    text: str
    claims: tuple[StoredClaim, ...] = ()
    answered: bool = True
    reason: str = ""
    images: tuple[StoredSlice, ...] = ()
    thinking: str = ""
    choice: str = ""
    probabilities: tuple[Number, ...] = ()
    notes: tuple[str, ...] = ()
    raw_text: str = Field("", validation_alias=AliasChoices("raw_text", "written"))
    tokens: int = 0

    def answer(self, grid: Grid) -> Answer:
        """The answer, its masks as boxes."""
        claims = tuple(claim.claim(grid) for claim in self.claims)
        return restored(Answer, self, claims=claims, written=self.raw_text)


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
            regions=tuple(
                StoredRegion.model_validate(region, context=volume.grid)
                for region in result.regions
            ),
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
