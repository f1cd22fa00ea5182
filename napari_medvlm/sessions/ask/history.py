"""The conversations of one volume, recorded in its ledger.

Knows no backends and starts no threads; may be used from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.conversation import Conversation, Evidence, State, Turn, Verdict
from napari_medvlm.data.errors import CannotSave, InvalidPrompt, SessionFileError
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal, notices_of
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
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.stored_answers import StoredAnswer, StoredClaim
from napari_medvlm.ledger.stored_images import StoredHeatmap, StoredSliceImage
from napari_medvlm.sessions.ask.history_state import ConversationState, Payload, payload_of
from napari_medvlm.sessions.ask.image_selection import ModelInput

WRITE_S = 1.0
"""Interval at which streamed text is recorded: a crash loses no more than that."""
UNFINISHED = "The program ended before the answer was complete. Ask again."
ENDED = (State.ANSWERED, State.STOPPED, State.FAILED)


class ConversationHistory:
    """Conversations and their turns.

    Parameters
    ----------
    ledger
        An earlier session to resume; `None`: start empty. Unfinished answers are marked as stopped.
    journal
        File to which each record is appended.
    on_failure
        Called when the journal cannot be written.

    Attributes
    ----------
    notices
        Sentences about what was opened: damaged records, a copy that is continued.

    Raises
    ------
    SessionFileError
        If the ledger is about another image, or its records contradict each other.
    """

    def __init__(
        self,
        volume: Volume,
        ledger: Ledger | None,
        journal: Path | None,
        on_failure: Callable[[CannotSave], None],
    ) -> None:
        self.volume = volume
        self.ledger = ledger or Ledger.of(volume)
        self._guard = threading.RLock()
        self._state = ConversationState()
        self._unwritten = ""
        self._written_at = 0.0
        if self.ledger.image.digest != volume.digest:
            raise SessionFileError(
                f"The session belongs to another image, {self.ledger.image.name}.",
                "Open that image, or choose a session of this one.",
            )
        try:
            for record in self.ledger.records:
                if isinstance(record, ConversationRecord):
                    self._state.apply(record, payload_of(record, volume))
        except (LookupError, ValueError, TypeError, OverflowError) as error:
            raise SessionFileError(
                "A record of the conversations contradicts an earlier one.",
                "The file was edited or mixed with another one; open an earlier copy.",
            ) from error
        self._journal = None if journal is None else Journal(journal, self.ledger, on_failure)
        self.notices = notices_of(self.ledger, self._journal)
        for turn in list(self._state.turns.values()):
            self.end(turn.id, State.STOPPED, problem=UNFINISHED)

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """All conversations, oldest first."""
        with self._guard:
            return tuple(self.conversation(id_) for id_ in self._state.titles)

    def conversation(self, id_: int) -> Conversation:
        """A conversation; `InvalidPrompt` if there is none of that id."""
        with self._guard:
            return self._state.conversation(id_)

    def turn(self, turn_id: int) -> Turn:
        """A turn; `InvalidPrompt` if it is in no conversation."""
        with self._guard:
            self._state.conversation_of(turn_id)
            return self._state.turns[turn_id]

    def conversation_of(self, turn_id: int) -> int:
        """Id of the conversation of a turn; `InvalidPrompt` if it is in none."""
        with self._guard:
            return self._state.conversation_of(turn_id)

    def before(self, turn_id: int) -> tuple[Turn, ...]:
        """The turns before a turn in its conversation."""
        with self._guard:
            members = self._state.members[self.conversation_of(turn_id)]
            return tuple(self._state.turns[m] for m in members[: members.index(turn_id)])

    def since(self, turn_id: int) -> tuple[int, ...]:
        """Ids of a turn and of the later ones in its conversation."""
        with self._guard:
            members = self._state.members[self.conversation_of(turn_id)]
            return tuple(members[members.index(turn_id) :])

    def claim(self, turn_id: int, number: int) -> Claim:
        """A claim by its number from 0; `InvalidPrompt` if there is none."""
        answer = self.turn(turn_id).answer
        claims = () if answer is None else answer.claims
        if not 0 <= number < len(claims):
            raise InvalidPrompt(
                f"There is no sentence {number}: the answer has {len(claims)}.",
                "Choose a sentence of the answer.",
            )
        return claims[number]

    def begin(self, title: str) -> int:
        """Start a conversation; returns its id."""
        with self._guard:
            id_ = self._state.last_conversation + 1
            self._note(ConversationStarted(conversation=id_, title=title or f"Conversation {id_}"))
            return id_

    def rename(self, id_: int, title: str) -> None:
        """Rename a conversation."""
        self.conversation(id_)
        self._note(ConversationStarted(conversation=id_, title=title))

    def forget(self, id_: int) -> None:
        """Remove a conversation."""
        self.conversation(id_)
        self._note(ConversationRemoved(conversation=id_))

    def ask(self, record_of: Callable[[int], QuestionRecord]) -> int:
        """Add a turn.

        Parameters
        ----------
        record_of
            Creates the record of the question from the turn's id.

        Returns
        -------
        The id.
        """
        with self._guard:
            turn_id = self._state.last_turn + 1
            self._note(record_of(turn_id))
            return turn_id

    def drop(self, turn_ids: tuple[int, ...]) -> None:
        """Remove turns from their conversation."""
        self._note(TurnsRemoved(turns=turn_ids))

    def start(self, turn_id: int) -> bool:
        """Mark a turn as running; `False` if it does not wait any more."""
        with self._guard:
            if self._state.turns[turn_id].state is not State.WAITING:
                return False
            self._state.set(turn_id, state=State.RUNNING)
            self._written_at = 0.0  # record the first text at once
            return True

    def show(self, turn_id: int, model_input: ModelInput) -> None:
        """Record the images that are sent."""
        rows = zip(model_input.pictures, model_input.captions, model_input.of, strict=True)
        stored = tuple(
            StoredSliceImage.of(image, self.volume, caption, of) for image, caption, of in rows
        )
        record = ImagesSent(turn=turn_id, images=stored, covered=model_input.covered)
        self._note(record, model_input.sent)

    def write(self, turn_id: int, text: str) -> None:
        """Append streamed text; it is recorded every `WRITE_S`."""
        with self._guard:
            turn = self._state.turns[turn_id]
            if turn.state is not State.RUNNING:
                return
            self._state.set(turn_id, partial=turn.partial + text)
            self._unwritten += text
            if time.monotonic() - self._written_at >= WRITE_S:
                self._flush(turn_id)

    def step(self, turn_id: int, step: ToolRound) -> None:
        """Record a round of tool calls."""
        record = ToolRoundRecord.of(turn_id, step, self.volume)
        with self._guard:
            self._unwritten = ""
            if self._state.turns[turn_id].state is State.RUNNING:
                self._note(record, step)

    def end(self, turn_id: int, state: State, answer: Answer | None = None, **fields: Any) -> bool:
        """End a turn; `False` if it had ended before.

        Parameters
        ----------
        fields
            Further fields of `Turn`.
        """
        with self._guard:
            turn = self._state.turns[turn_id]
            if turn.state in ENDED:
                return False
            self._unwritten = ""
            record = AnswerRecord(
                turn=turn_id,
                state=state,
                partial=turn.partial if answer is None else "",
                answer=None if answer is None else StoredAnswer.model_validate(answer),
                **fields,
            )
            self._note(record, answer)
            return True

    def mark(self, turn_id: int, claim: int, verdict: Verdict | None, note: str) -> None:
        """Record a reader's verdict on a claim; `None` removes it."""
        self.claim(turn_id, claim)
        self._note(Marked(turn=turn_id, claim=claim, verdict=verdict, note=note))

    def ground(self, turn_id: int, number: int, claim: Claim) -> None:
        """Replace a claim by one with regions."""
        stored = StoredClaim.model_validate(claim)
        self._note(ClaimGrounded(turn=turn_id, claim=number, grounded=stored), claim)

    def explain(self, turn_id: int, evidence: Evidence) -> None:
        """Record an evidence map of an answer."""
        record = Explained(
            turn=turn_id,
            image=evidence.image,
            heatmap=StoredHeatmap.of(evidence.heatmap),
            seconds=evidence.seconds,
        )
        self._note(record, evidence)

    def check(self, turn_id: int, result: CheckResult) -> None:
        """Record the result of a check of an answer."""
        self._note(Checked(turn=turn_id, result=result))

    def close(self) -> None:
        """Finish the journal."""
        if self._journal is not None:
            self._journal.close()

    def _note(self, record: ConversationRecord, payload: Payload = None) -> None:
        with self._guard:
            self.ledger.note(record)
            self._state.apply(record, payload)
            if self._journal is not None:
                self._journal.write(record)

    def _flush(self, turn_id: int) -> None:
        """Record the streamed text, which the turn has already."""
        text, self._unwritten = self._unwritten, ""
        self._written_at = time.monotonic()
        record = TextStreamed(turn=turn_id, text=text)
        self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)
