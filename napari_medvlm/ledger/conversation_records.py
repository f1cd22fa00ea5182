"""Records of conversations: questions, images sent, text, tool rounds, answers and marks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.conversation import State, Verdict
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.serialization import Number, Value, now
from napari_medvlm.ledger.stored_answers import (
    StoredAnswer,
    StoredClaim,
    StoredImageSelection,
    StoredToolResult,
)
from napari_medvlm.ledger.stored_images import StoredHeatmap, StoredSliceImage


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
