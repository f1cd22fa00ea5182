"""What was said in the conversations of one volume, kept in the ledger as it is said.

Knows neither backends nor threads of its own; may be called from any.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.conversation import (
    Conversation,
    Evidence,
    Mark,
    SentImage,
    State,
    Turn,
    Verdict,
)
from napari_medvlm.data.errors import CannotSave, InvalidPrompt, SessionFileError
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.conversation_records import (
    AnswerRecord,
    Checked,
    ClaimGrounded,
    ConversationRemoved,
    ConversationStarted,
    Explained,
    ImagesSent,
    Marked,
    QuestionRecord,
    Said,
    StoredAnswer,
    StoredCheckResult,
    StoredClaim,
    TextStreamed,
    ToolRoundRecord,
    TurnsRemoved,
)
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Record
from napari_medvlm.ledger.serialization import StoredHeatmap, StoredSliceImage, digest_of
from napari_medvlm.sessions.ask.model_input import ModelInput

WRITE_S = 1.0
"""How often the text that a model writes goes to the ledger: what a crash may cost."""
UNFINISHED = "The program ended before the answer was complete. Ask again."
OTHERWISE = " (made again, not quite as it was sent)"
ENDED = (State.ANSWERED, State.STOPPED, State.FAILED)


class ConversationHistory:
    """Conversations and their exchanges.

    Parameters
    ----------
    ledger
        What was said before; `None`: nothing. What was on its way then is stopped now.
    journal
        File that is written as it goes.
    on_failure
        Called when the journal cannot be written.
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
        self._titles: dict[int, str] = {}
        self._members: dict[int, list[int]] = {}
        self._exchanges: dict[int, Turn] = {}
        self._unwritten = ""
        self._written_at = 0.0
        if self.ledger.image.digest != volume.digest:
            raise SessionFileError(
                f"The session is about another image, {self.ledger.image.name}.",
                "Load that image, or open the session of this one.",
            )
        self._last_conversation = self._last_exchange = 0
        try:
            self._recall(self.ledger.records)
        except (KeyError, IndexError) as error:
            raise SessionFileError(
                "A record of the conversations does not fit what precedes it.",
                "The file was edited or mixed up with another; open an earlier copy.",
            ) from error
        self._journal = None if journal is None else Journal(journal, self.ledger, on_failure)
        for exchange in list(self._exchanges.values()):
            self.end(exchange.id, State.STOPPED, problem=UNFINISHED)

    # What is there.

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """All conversations, oldest first."""
        with self._guard:
            return tuple(self.conversation(id_) for id_ in self._titles)

    def conversation(self, id_: int) -> Conversation:
        """A conversation; `InvalidPrompt` if there is none of that id."""
        with self._guard:
            if id_ not in self._titles:
                raise InvalidPrompt(
                    f"There is no conversation {id_}.", "It may have been removed: choose another."
                )
            exchanges = tuple(self._exchanges[member] for member in self._members[id_])
            return Conversation(id_, self._titles[id_], exchanges)

    def exchange(self, id_: int) -> Turn:
        """An exchange; `InvalidPrompt` if it is in no conversation."""
        with self._guard:
            self.of(id_)
            return self._exchanges[id_]

    def of(self, exchange: int) -> int:
        """The conversation that an exchange is in; `InvalidPrompt` if it is in none."""
        with self._guard:
            for id_, members in self._members.items():
                if exchange in members:
                    return id_
        raise InvalidPrompt(
            f"There is no question {exchange}.", "It may have been edited or removed."
        )

    def before(self, exchange: int) -> tuple[Turn, ...]:
        """The exchanges of its conversation before an exchange."""
        with self._guard:
            members = self._members[self.of(exchange)]
            return tuple(self._exchanges[m] for m in members[: members.index(exchange)])

    # What happens.

    def begin(self, title: str) -> int:
        """A new conversation; its id."""
        with self._guard:
            id_ = self._last_conversation + 1
            self._note(ConversationStarted(conversation=id_, title=title or f"Conversation {id_}"))
            return id_

    def rename(self, id_: int, title: str) -> None:
        """Another title for a conversation."""
        self.conversation(id_)
        self._note(ConversationStarted(conversation=id_, title=title))

    def forget(self, id_: int) -> None:
        """Take a conversation away."""
        self.conversation(id_)
        self._note(ConversationRemoved(conversation=id_))

    def ask(self, make: Callable[[int], QuestionRecord]) -> int:
        """A new exchange; its id, from which the record is made."""
        with self._guard:
            id_ = self._last_exchange + 1
            self._note(make(id_))
            return id_

    def since(self, exchange: int) -> tuple[int, ...]:
        """The ids of an exchange and of those after it in its conversation."""
        with self._guard:
            members = self._members[self.of(exchange)]
            return tuple(members[members.index(exchange) :])

    def drop(self, exchanges: tuple[int, ...]) -> None:
        """Take exchanges out of their conversation."""
        self._note(TurnsRemoved(turns=exchanges))

    def start(self, exchange: int) -> bool:
        """That an exchange runs now; whether it was still wanted."""
        with self._guard:
            if self._exchanges[exchange].state is not State.WAITING:
                return False
            self._set(exchange, state=State.RUNNING)
            self._written_at = 0.0  # so that the first words are written at once
            return True

    def show(self, exchange: int, looked: ModelInput) -> None:
        """The pictures that are sent."""
        each = zip(looked.pictures, looked.captions, looked.of, strict=True)
        kept = tuple(StoredSliceImage.made(p, self.volume, caption, of) for p, caption, of in each)
        with self._guard:
            self._note(ImagesSent(turn=exchange, images=kept, covered=looked.covered))
            self._set(exchange, sent=looked.sent)

    def write(self, exchange: int, text: str) -> None:
        """More text."""
        with self._guard:
            if self._exchanges[exchange].state is not State.RUNNING:
                return
            self._set(exchange, partial=self._exchanges[exchange].partial + text)
            self._unwritten += text
            if time.monotonic() - self._written_at >= WRITE_S:
                self._flush(exchange)

    def step(self, exchange: int, step: ToolRound) -> None:
        """A round with tools is over."""
        record = ToolRoundRecord.of(exchange, step, self.volume)
        with self._guard:
            self._unwritten = ""
            if self._exchanges[exchange].state is State.RUNNING:
                before = self._exchanges[exchange].steps
                self._note(record)
                self._set(exchange, steps=(*before, step), partial="")

    def end(self, exchange: int, state: State, answer: Answer | None = None, **fields: Any) -> bool:
        """The end of an exchange, with fields of `Turn`; whether it was not over before."""
        with self._guard:
            now = self._exchanges[exchange]
            if now.state in ENDED:
                return False
            self._unwritten = ""
            kept = None if answer is None else StoredAnswer.of(answer)
            partial = now.partial if answer is None else ""
            self._note(
                AnswerRecord(turn=exchange, state=state, partial=partial, answer=kept, **fields)
            )
            self._set(exchange, answer=answer)
            return True

    def mark(self, exchange: int, claim: int, verdict: Verdict | None, note: str) -> None:
        """What a reader thinks of a claim."""
        self.claim(exchange, claim)
        self._note(Marked(turn=exchange, claim=claim, verdict=verdict, note=note))

    def claim(self, exchange: int, number: int) -> Claim:
        """A claim by its number from 0; `InvalidPrompt` if there is none."""
        answer = self.exchange(exchange).answer
        claims = () if answer is None else answer.claims
        if not 0 <= number < len(claims):
            raise InvalidPrompt(
                f"There is no sentence {number}: the answer has {len(claims)}.",
                "Choose a sentence of the answer.",
            )
        return claims[number]

    def ground(self, exchange: int, number: int, claim: Claim) -> None:
        """A claim with regions that it did not come with."""
        with self._guard:
            kept = StoredClaim.of(claim)
            self._note(ClaimGrounded(turn=exchange, claim=number, grounded=kept))
            self._replace_claim(exchange, number, claim)

    def explain(self, exchange: int, evidence: Evidence) -> None:
        """What an answer comes from."""
        with self._guard:
            kept = StoredHeatmap.of(evidence.heatmap)
            self._note(
                Explained(
                    turn=exchange,
                    image=evidence.image,
                    heatmap=kept,
                    seconds=evidence.seconds,
                )
            )
            self._set(exchange, evidence=evidence)

    def check(self, exchange: int, finding: CheckResult) -> None:
        """What a check of an answer came to."""
        self._note(Checked(turn=exchange, result=StoredCheckResult.of(finding)))

    def close(self) -> None:
        """Finish the journal."""
        if self._journal is not None:
            self._journal.close()

    # How it is kept.

    def _note(self, record: Said) -> None:
        with self._guard:
            self.ledger.note(record)
            self._apply(record)
            if self._journal is not None:
                self._journal.write(record)

    def _flush(self, exchange: int) -> None:
        text, self._unwritten = self._unwritten, ""
        self._written_at = time.monotonic()
        record = TextStreamed(turn=exchange, text=text)
        self.ledger.note(record)
        if self._journal is not None:
            self._journal.write(record)

    def _set(self, exchange: int, **fields: Any) -> None:
        self._exchanges[exchange] = replace(self._exchanges[exchange], **fields)

    def _replace_claim(self, exchange: int, number: int, claim: Claim) -> None:
        answer = self._exchanges[exchange].answer
        if answer is None:
            raise IndexError(number)
        claims = (*answer.claims[:number], claim, *answer.claims[number + 1 :])
        self._set(exchange, answer=replace(answer, claims=claims))

    def _apply(self, record: Said) -> None:
        """What a record changes, but for what is kept in it only in part."""
        match record:
            case ConversationStarted() | ConversationRemoved() | TurnsRemoved():
                self._apply_to_conversations(record)
            case QuestionRecord():
                self._members[record.conversation].append(record.turn)
                self._exchanges[record.turn] = _new(record)
                self._last_exchange = max(self._last_exchange, record.turn)
            case ImagesSent():
                self._set(record.turn, covered=record.covered)
            case AnswerRecord():
                of = {"state", "partial", "problem", "seconds", "first_token_s"}
                self._set(record.turn, **record.model_dump(include=of))
            case Marked():
                self._apply_mark(record)
            case Checked():
                found = record.result.result()
                before = self._exchanges[record.turn].check_results
                rest = (other for other in before if other.check != found.check)
                self._set(record.turn, check_results=(*rest, found))

    def _apply_to_conversations(
        self, record: ConversationStarted | ConversationRemoved | TurnsRemoved
    ) -> None:
        match record:
            case ConversationStarted():
                self._titles[record.conversation] = record.title
                self._members.setdefault(record.conversation, [])
                self._last_conversation = max(self._last_conversation, record.conversation)
            case ConversationRemoved():
                del self._titles[record.conversation], self._members[record.conversation]
            case TurnsRemoved():
                for members in self._members.values():
                    members[:] = [m for m in members if m not in record.turns]

    def _apply_mark(self, record: Marked) -> None:
        marks = dict(self._exchanges[record.turn].marks)
        marks.pop(record.claim, None)
        if record.verdict is not None:
            marks[record.claim] = Mark(record.verdict, record.note)
        self._set(record.turn, marks=marks)

    def _recall(self, records: Iterable[Record]) -> None:
        """Bring back what records tell."""
        for record in records:
            if isinstance(record, Said):
                self._apply(record)
                self._restore(record)

    def _restore(self, record: Said) -> None:
        """Bring back what `_apply` leaves out."""
        volume = self.volume
        match record:
            case ImagesSent():
                self._set(record.turn, sent=_sent(record.images, volume))
            case TextStreamed():
                before = self._exchanges[record.turn].partial
                self._set(record.turn, partial=before + record.text)
            case ToolRoundRecord():
                steps = (*self._exchanges[record.turn].steps, record.tool_round(volume))
                self._set(record.turn, steps=steps, partial="")
            case AnswerRecord():
                kept = record.answer
                answer = None if kept is None else kept.answer(volume.grid)
                self._set(record.turn, answer=answer)
            case ClaimGrounded():
                claim = record.grounded.claim(volume.grid)
                self._replace_claim(record.turn, record.claim, claim)
            case Explained():
                found = record.heatmap.heatmap(volume.grid)
                evidence = Evidence(found, record.image, record.seconds)
                self._set(record.turn, evidence=evidence)


def _new(record: QuestionRecord) -> Turn:
    return Turn(
        id=record.turn,
        question=record.question,
        backend=record.backend,
        model=record.model,
        kind=record.kind,
        options=record.options,
        context=record.context,
    )


def _sent(kept: Sequence[StoredSliceImage], volume: Volume) -> tuple[SentImage, ...]:
    """The pictures again; one that comes out otherwise says so."""
    sent = []
    for each in kept:
        picture = each.slice_image(volume)
        same = digest_of(picture.pixels) == each.digest
        caption = each.caption if same else each.caption + OTHERWISE
        sent.append(SentImage(picture.pixels, picture.slice, caption, each.other_image))
    return tuple(sent)
