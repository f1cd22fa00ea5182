"""The conversations of a session: which there are, and in which one is asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from psygnal import Signal

from napari_medvlm.data.conversation import Conversation, Turn
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.question_records import asked_record
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs
from napari_medvlm.sessions.ask.turn import TurnRunner
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.sessions.request_sender import ModelChoice


class QuestionQueue:
    """Conversations, one of which is active.

    Attributes
    ----------
    changed
        Signal: a conversation is another than before.
    """

    changed = Signal()

    _minutes: ConversationHistory
    _answering: TurnRunner
    _active: int

    @property
    def ledger(self) -> Ledger:
        """All that was said."""
        return self._minutes.ledger

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """The conversations, oldest first."""
        return self._minutes.conversations

    @property
    def active(self) -> Conversation:
        """The conversation that is asked in."""
        return self._minutes.conversation(self._active)

    def exchange(self, exchange: int) -> Turn:
        """An exchange by its id."""
        return self._minutes.exchange(exchange)

    def new(self, title: str = "") -> int:
        """Begin a conversation and ask in it from now on; its id."""
        self._active = self._minutes.begin(title)
        emit_safely(self.changed)
        return self._active

    def bring_in(self, title: str, exchanges: Sequence[Turn]) -> None:
        """Begin a conversation with exchanges that are over, as a report tells them."""
        if not exchanges:
            return
        conversation = self._minutes.begin(title)
        for exchange in exchanges:
            record = partial(
                asked_record,
                conversation=conversation,
                exchange=exchange,
                answerer=ModelChoice(exchange.backend, exchange.model),
                given=QuestionInputs(),
            )
            id_ = self._minutes.ask(record)
            self._minutes.end(id_, exchange.state, exchange.answer)
        self.select(conversation)

    def select(self, conversation: int) -> None:
        """Ask in a conversation from now on."""
        self._active = self._minutes.conversation(conversation).id
        emit_safely(self.changed)

    def rename(self, conversation: int, title: str) -> None:
        """Give a conversation another title."""
        self._minutes.rename(conversation, title)
        emit_safely(self.changed)

    def remove(self, conversation: int) -> None:
        """Take a conversation away; the ledger keeps it."""
        for exchange in reversed(self._minutes.conversation(conversation).turns):
            self._answering.stop(exchange.id)
        self._minutes.forget(conversation)
        if conversation == self._active:
            rest = self.conversations
            self._active = rest[-1].id if rest else self._minutes.begin("")
        emit_safely(self.changed)
