"""The conversations of a session: their turns, titles and marks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from psygnal import Signal

from napari_medvlm.data.conversation import Conversation, Turn, Verdict
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.question_records import question_record
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs
from napari_medvlm.sessions.closeable import Closeable
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.sessions.request_sender import ModelChoice


class ConversationSession(Closeable):
    """Conversations, one of which is active.

    Parameters
    ----------
    history
        The records of the conversations; a first one is started if there is none.

    Attributes
    ----------
    changed
        Signal: a conversation changed, or another one is active.
    """

    changed = Signal()

    def __init__(self, history: ConversationHistory) -> None:
        self._history = history
        conversations = self.conversations
        self._active = conversations[-1].id if conversations else history.begin("")

    @property
    def ledger(self) -> Ledger:
        """The records of all conversations."""
        return self._history.ledger

    @property
    def notices(self) -> tuple[str, ...]:
        """What happened on opening: damaged records, a copy that is continued."""
        return self._history.notices

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """The conversations, oldest first."""
        return self._history.conversations

    @property
    def active(self) -> Conversation:
        """The conversation to which questions are added."""
        return self._history.conversation(self._active)

    def turn(self, turn_id: int) -> Turn:
        """A turn by its id."""
        return self._history.turn(turn_id)

    def new(self, title: str = "") -> int:
        """Start a conversation and make it active; returns its id."""
        self._active = self._history.begin(title)
        emit_safely(self.changed)
        return self._active

    def import_report(self, title: str, turns: Sequence[Turn]) -> None:
        """Start a conversation with the turns of a report, and make it active."""
        if not turns:
            return
        conversation = self._history.begin(title)
        for turn in turns:
            record = partial(
                question_record,
                conversation=conversation,
                turn=turn,
                answerer=ModelChoice(turn.backend, turn.model),
                inputs=QuestionInputs(),
            )
            turn_id = self._history.ask(record)
            self._history.end(turn_id, turn.state, turn.answer)
        self.select(conversation)

    def select(self, conversation: int) -> None:
        """Make a conversation active."""
        self._active = self._history.conversation(conversation).id
        emit_safely(self.changed)

    def rename(self, conversation: int, title: str) -> None:
        """Rename a conversation."""
        self._history.rename(conversation, title)
        emit_safely(self.changed)

    def remove(self, conversation: int) -> None:
        """Remove a conversation; its records stay in the ledger."""
        self._history.forget(conversation)
        if conversation == self._active:
            others = self.conversations
            self._active = others[-1].id if others else self._history.begin("")
        emit_safely(self.changed)

    def mark(self, turn_id: int, claim: int, verdict: Verdict | None, note: str = "") -> None:
        """Mark a claim as right, wrong or unsure; `None` removes the mark."""
        self._history.mark(turn_id, claim, verdict, note)
        emit_safely(self.changed)
