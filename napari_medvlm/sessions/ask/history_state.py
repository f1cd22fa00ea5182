"""The conversations that follow from the records of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.conversation import Conversation, Evidence, Mark, SentImage, Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.conversation_records import (
    AnswerRecord,
    Checked,
    ClaimGrounded,
    ConversationRecord,
    ConversationRemoved,
    ConversationStarted,
    Explained,
    ImagesSent,
    Marked,
    QuestionRecord,
    TextStreamed,
    ToolRoundRecord,
    TurnsRemoved,
)
from napari_medvlm.ledger.stored_images import StoredSliceImage, digest_of

NOT_IDENTICAL = " (rendered again; not identical to the image that was sent)"

Payload = tuple[SentImage, ...] | ToolRound | Answer | Claim | Evidence | None
"""What a record stores in serialized form: images, a tool round, an answer, a claim, evidence."""


class ConversationState:
    """Conversations and their turns; `apply` is the only way to change them.

    Attributes
    ----------
    titles
        Title of each conversation by its id, oldest first.
    members
        Ids of the turns of each conversation.
    turns
        All turns by their id, removed ones included.
    last_conversation, last_turn
        The highest ids so far; 0 if there is none.
    """

    def __init__(self) -> None:
        self.titles: dict[int, str] = {}
        self.members: dict[int, list[int]] = {}
        self.turns: dict[int, Turn] = {}
        self.last_conversation = self.last_turn = 0

    def conversation(self, id_: int) -> Conversation:
        """A conversation; `InvalidPrompt` if there is none of that id."""
        if id_ not in self.titles:
            raise InvalidPrompt(
                f"There is no conversation {id_}.", "It may have been removed; choose another."
            )
        turns = tuple(self.turns[member] for member in self.members[id_])
        return Conversation(id_, self.titles[id_], turns)

    def conversation_of(self, turn_id: int) -> int:
        """Id of the conversation of a turn; `InvalidPrompt` if it is in none."""
        for id_, members in self.members.items():
            if turn_id in members:
                return id_
        raise InvalidPrompt(
            f"There is no question {turn_id}.", "It may have been edited or removed."
        )

    def set(self, turn_id: int, **fields: Any) -> None:
        """Replace fields of a turn."""
        self.turns[turn_id] = replace(self.turns[turn_id], **fields)

    def apply(self, record: ConversationRecord, payload: Payload) -> None:
        """Apply a record.

        Parameters
        ----------
        payload
            The deserialized content of the record, as of `payload_of`.
        """
        match record:
            case ConversationStarted():
                self.titles[record.conversation] = record.title
                self.members.setdefault(record.conversation, [])
                self.last_conversation = max(self.last_conversation, record.conversation)
            case ConversationRemoved():
                del self.titles[record.conversation], self.members[record.conversation]
            case TurnsRemoved():
                for members in self.members.values():
                    members[:] = [m for m in members if m not in record.turns]
            case QuestionRecord():
                self.members[record.conversation].append(record.turn)
                self.turns[record.turn] = _new_turn(record)
                self.last_turn = max(self.last_turn, record.turn)
            case _:
                self._apply_to_turn(record, self.turns[record.turn], payload)

    def _apply_to_turn(self, record: ConversationRecord, turn: Turn, payload: Payload) -> None:  # noqa: C901
        match record:
            case ImagesSent():
                self.set(turn.id, sent=payload, covered=record.covered)
            case TextStreamed():
                self.set(turn.id, partial=turn.partial + record.text)
            case ToolRoundRecord():
                self.set(turn.id, steps=(*turn.steps, payload), partial="")
            case AnswerRecord():
                stored = {"state", "partial", "problem", "seconds", "first_token_s"}
                self.set(turn.id, answer=payload, **record.model_dump(include=stored))
            case ClaimGrounded():
                if turn.answer is None:
                    raise IndexError(record.claim)
                claims = list(turn.answer.claims)
                claims[record.claim] = cast("Claim", payload)
                self.set(turn.id, answer=replace(turn.answer, claims=tuple(claims)))
            case Explained():
                self.set(turn.id, evidence=payload)
            case Marked():
                marks = {n: mark for n, mark in turn.marks.items() if n != record.claim}
                if record.verdict is not None:
                    marks[record.claim] = Mark(record.verdict, record.note)
                self.set(turn.id, marks=marks)
            case Checked():
                result = record.result
                others = (other for other in turn.check_results if other.check != result.check)
                self.set(turn.id, check_results=(*others, result))


def payload_of(record: ConversationRecord, volume: Volume) -> Payload:
    """The deserialized content of a record of a session file."""
    match record:
        case ImagesSent():
            return _sent(record.images, volume)
        case ToolRoundRecord():
            return record.tool_round(volume)
        case AnswerRecord():
            return None if record.answer is None else record.answer.answer(volume.grid)
        case ClaimGrounded():
            return record.grounded.claim(volume.grid)
        case Explained():
            heatmap = record.heatmap.heatmap(volume.grid)
            return Evidence(heatmap, record.image, record.seconds)
    return None


def _new_turn(record: QuestionRecord) -> Turn:
    return Turn(
        id=record.turn,
        question=record.question,
        backend=record.backend,
        model=record.model,
        kind=record.kind,
        options=record.options,
        context=record.context,
    )


def _sent(stored_images: Sequence[StoredSliceImage], volume: Volume) -> tuple[SentImage, ...]:
    """The images rendered again; the caption says if one is not identical."""
    sent = []
    for stored in stored_images:
        image = stored.slice_image(volume)
        same = digest_of(image.pixels) == stored.digest
        caption = stored.caption if same else stored.caption + NOT_IDENTICAL
        again = None if stored.other_image else image
        sent.append(SentImage(image.pixels, image.slice, caption, stored.other_image, again))
    return tuple(sent)
