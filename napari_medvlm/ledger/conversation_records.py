"""Records of conversations: questions, images sent, text, tool rounds, answers and marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from napari_medvlm.data.answer import Answer, AnswerKind, Claim
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.conversation import State, Verdict
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.serialization import (
    Number,
    Pair,
    StoredHeatmap,
    StoredRegion,
    StoredSliceImage,
    Value,
    now,
)


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


class _TimedRecord(Value):
    time: datetime = Field(default_factory=now)


class ConversationStarted(_TimedRecord):
    """A conversation began, or has a new title."""

    record: Literal["conversation_started"] = "conversation_started"
    conversation: int
    title: str


class ConversationRemoved(_TimedRecord):
    """A conversation was removed."""

    record: Literal["conversation_removed"] = "conversation_removed"
    conversation: int


class TurnsRemoved(_TimedRecord):
    """Turns were removed from their conversation: an earlier question was edited or repeated."""

    record: Literal["turns_removed"] = "turns_removed"
    turns: tuple[int, ...]


class QuestionRecord(_TimedRecord):
    """A question, its inputs, and the backend it was sent to.

    Attributes
    ----------
    objects
        The digest of each mask by its name.
    labels
        Titles of the label images.
    """

    record: Literal["asked"] = "asked"
    turn: int
    conversation: int
    question: str
    kind: AnswerKind
    options: tuple[str, ...]
    context: str
    backend: str
    model: str | None
    selection: StoredImageSelection | None
    objects: dict[str, str]
    labels: tuple[str, ...]
    tools: tuple[str, ...]


class ImagesSent(_TimedRecord):
    """The images that were sent, and the share of the volume's slices that they cover."""

    record: Literal["images_sent"] = "images_sent"
    turn: int
    images: tuple[StoredSliceImage, ...]
    covered: Number


class TextStreamed(_TimedRecord):
    """The next part of the text that a model generates."""

    record: Literal["text_streamed"] = "text_streamed"
    turn: int
    text: str


class ToolRoundRecord(_TimedRecord):
    """A round of tool calls ended."""

    record: Literal["tool_round"] = "tool_round"
    turn: int
    text: str
    results: tuple[StoredToolResult, ...]

    @classmethod
    def of(cls, turn: int, tool_round: ToolRound, volume: Volume) -> ToolRoundRecord:
        """The record of a round."""
        results = tuple(StoredToolResult.of(result, volume) for result in tool_round.results)
        return cls(turn=turn, text=tool_round.text, results=results)

    def tool_round(self, volume: Volume) -> ToolRound:
        """The round."""
        return ToolRound(self.text, tuple(result.result(volume) for result in self.results))


class AnswerRecord(_TimedRecord):
    """A turn ended: answered, stopped or failed."""

    record: Literal["answered"] = "answered"
    turn: int
    state: State
    partial: str = ""
    answer: StoredAnswer | None = None
    problem: str = ""
    seconds: Number = 0.0
    first_token_s: float | None = None


class ClaimGrounded(_TimedRecord):
    """Regions were added to a claim."""

    record: Literal["claim_grounded"] = "claim_grounded"
    turn: int
    claim: int
    grounded: StoredClaim


class Marked(_TimedRecord):
    """A reader's verdict on a claim; `None` clears it."""

    record: Literal["marked"] = "marked"
    turn: int
    claim: int
    verdict: Verdict | None
    note: str = ""


class Explained(_TimedRecord):
    """An evidence map: how much each part of an image contributed to the answer.

    Attributes
    ----------
    image
        Index of the image among those sent, from 0.
    """

    record: Literal["explained"] = "explained"
    turn: int
    image: int
    heatmap: StoredHeatmap
    seconds: Number


class Checked(_TimedRecord):
    """A check of an answer ended."""

    record: Literal["checked"] = "checked"
    turn: int
    result: CheckResult


ConversationRecord = (
    ConversationStarted
    | ConversationRemoved
    | TurnsRemoved
    | QuestionRecord
    | ImagesSent
    | TextStreamed
    | ToolRoundRecord
    | AnswerRecord
    | ClaimGrounded
    | Explained
    | Marked
    | Checked
)
"""A record of a conversation."""
