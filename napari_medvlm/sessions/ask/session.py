"""Conversations about one volume: what a person asks and thinks, without a window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from numpy.typing import NDArray
from psygnal import Signal

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.conversation import Turn, Verdict
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.ask import as_mask, require_answers
from napari_medvlm.sessions.ask.check_context import AnswerCheckContext, answer_check_context
from napari_medvlm.sessions.ask.explain import require_explainable
from napari_medvlm.sessions.ask.ground_claim import request_of
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.model_input import ImageSelection
from napari_medvlm.sessions.ask.question_queue import QuestionQueue
from napari_medvlm.sessions.ask.question_records import asked_record, given_of
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs, generated_objects
from napari_medvlm.sessions.ask.turn import TurnRunner
from napari_medvlm.sessions.job_queue import JobQueue, emit_safely
from napari_medvlm.sessions.request_sender import ModelChoice, ModelChoices
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.runner import InlineRunner, Runner


class AskSession(QuestionQueue):
    """Questions about one volume and their answers, in conversations.

    Questions are answered one after the other; each is kept with what came of it, whatever goes
    wrong. Signals may come on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    backend, model, device
        Who answers; the model is a file, folder or name, `None` for the backend's default.
    runner
        ``"worker"``: in a process of its own. ``"inline"``: in this thread. Or a runner to share,
        which is then not stopped by `close`.
    journal
        File in which everything is kept as it comes, see `io.journal`.
    ledger
        What was said before, see `resumed`.

    Attributes
    ----------
    segmenter, grounder
        Who does what models call tools for.
    delta
        Signal: more text of the exchange that runs.
    progressed
        Signal: how far the present request is, 0 to 1, and what is being done.
    stepped
        Signal: a round with tools is over.
    failed
        Signal: the `MedVLMError` that stands for an answer.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not answer questions.
    SessionFileError
        If the ledger is about another image.
    """

    delta = Signal(str)
    progressed = Signal(float, str)
    stepped = Signal(ToolRound)
    failed = Signal(MedVLMError)

    def __init__(
        self,
        volume: Volume,
        backend: str = "embedded",
        runner: Literal["worker", "inline"] | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        journal: Path | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.volume = volume
        self.segmenter = self.grounder = ModelChoice()
        self.use(backend, model, device)
        self._owns_runner = isinstance(runner, str)
        if isinstance(runner, str):
            runner = RoutedRunner() if runner == "worker" else InlineRunner()
        self._runner: Runner = runner
        self._minutes = ConversationHistory(
            volume, ledger, journal, lambda e: emit_safely(self.failed, e)
        )
        self._given: dict[int, QuestionInputs] = {}
        self._line = JobQueue(
            self._runner,
            lambda fraction, text: emit_safely(self.progressed, fraction, text),
            lambda error: emit_safely(self.failed, error),
        )
        self._answering = TurnRunner(
            self._minutes,
            self._line,
            changed=lambda: emit_safely(self.changed),
            delta=lambda text: emit_safely(self.delta, text),
            stepped=lambda step: emit_safely(self.stepped, step),
        )
        known = self.conversations
        self._active = known[-1].id if known else self._minutes.begin("")

    @classmethod
    def resumed(
        cls,
        volume: Volume,
        ledger: Ledger,
        backend: str = "embedded",
        runner: Literal["worker", "inline"] | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        journal: Path | None = None,
    ) -> AskSession:
        """A session that goes on from a ledger; an answer that was on its way is stopped."""
        return cls(
            volume, backend, runner, model=model, device=device, journal=journal, ledger=ledger
        )

    # What is there.

    @property
    def pending(self) -> bool:
        """Whether an answer is on its way."""
        return self._line.pending

    @property
    def running(self) -> int | None:
        """The exchange that is being worked on."""
        return self._line.running

    # Questions.

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Have another backend answer from now on."""
        require_answers(backend)
        self._answerer = ModelChoice(backend, model, device)

    def ask(  # noqa: PLR0913  # one for each thing that a question may rest on
        self,
        text: str,
        *,
        kind: AnswerKind = AnswerKind.OPEN,
        options: Sequence[str] = (),
        context: str = "",
        view: ImageSelection | None = None,
        masks: Mapping[str, Mask | NDArray[Any]] | None = None,
        labels: Sequence[NamedLabels] = (),
        tools: Collection[str] = (),
    ) -> int:
        """Ask in the active conversation, after what is on its way; the id of the exchange.

        Returns at once unless the runner works inline, see `wait`.

        Parameters
        ----------
        view
            What the model is to see; `None`: no pictures, for backends that measure.
        masks
            Objects by name, on the volume's grid.
        labels
            Label images of this patient.
        tools
            Names of `toolspecs.TOOLS` that the model may call.

        Raises
        ------
        InvalidPrompt
            If nothing is asked, or the view shows nothing of the image.
        GeometryMismatch
            If a mask lies on another grid.
        """
        made = {name: as_mask(name, mask, self.volume) for name, mask in (masks or {}).items()}
        exchange = Turn(0, text.strip(), "", None, kind, tuple(options), context)
        return self._ask(
            self._active, exchange, QuestionInputs(view, made, tuple(labels), tuple(tools))
        )

    def regenerate(self, exchange: int) -> int:
        """Ask a question again; the id of the new exchange, see `edit`."""
        return self.edit(exchange, self.exchange(exchange).question)

    def edit(self, exchange: int, text: str) -> int:
        """Ask something else in place of a question, of the backend that is in use.

        It and what came after it leave the conversation; the ledger keeps them.

        Returns
        -------
        The id of the new exchange.
        """
        old = self.exchange(exchange)
        given = self._given_of(exchange)
        given.check(text, self.volume)
        conversation = self._minutes.of(exchange)
        dropped = self._minutes.since(exchange)
        for id_ in reversed(dropped):  # the last first, so that none begins now
            self._answering.stop(id_)
        self._minutes.drop(dropped)
        return self._ask(conversation, replace(old, question=text.strip()), given)

    def cancel(self, exchange: int | None = None) -> None:
        """Stop an answer, or all that are on their way; what has come is kept."""
        for id_ in reversed(self._line.keys) if exchange is None else (exchange,):
            self._answering.stop(id_)
        emit_safely(self.changed)

    # Claims.

    def mark(self, exchange: int, claim: int, verdict: Verdict | None, note: str = "") -> None:
        """Say that a claim is right, wrong or unsure; `None` takes that back."""
        self._minutes.mark(exchange, claim, verdict, note)
        emit_safely(self.changed)

    def ground_claim(
        self, exchange: int, claim: int, backend: str = "embedded", model: str | None = None
    ) -> None:
        """Have a grounding backend tell where a claim that has no regions is, see `wait`.

        Raises
        ------
        BackendUnavailable
            If there is no such backend, or it does not look for phrases.
        InvalidPrompt
            If there is no such claim, or it only says what is not there.
        """
        text = self._minutes.claim(exchange, claim).text
        given = self._given_of(exchange)
        made = generated_objects((*self._minutes.before(exchange), self.exchange(exchange)))
        who = ModelChoice(backend, model, self._answerer.device)
        request = request_of(text, self.volume, given, made, who)
        ground = self._answering.ground
        self._line.put(exchange, lambda calls: ground(calls, request, exchange, claim))
        emit_safely(self.changed)

    def explain(self, exchange: int, picture: int = 0) -> None:
        """Have the model that answered tell which parts of a picture made it, see `wait`.

        That is in `Turn.evidence` then. `backends.evidence.cost` tells how often the model must
        read the question for it.

        Raises
        ------
        InvalidPrompt
            If the backend cannot tell, or the picture was not sent or is of another image.
        """
        require_explainable(self.exchange(exchange), picture)
        given, device = self._given_of(exchange), self._answerer.device
        self._line.put(
            exchange, lambda calls: self._answering.explain(calls, exchange, given, device, picture)
        )
        emit_safely(self.changed)

    def basis(self, exchange: int) -> AnswerCheckContext:
        """What checks of an answer rest on, see `trusting`; what they come to is kept."""
        where = self._runner, self._answerer.device, lambda: emit_safely(self.changed)
        return answer_check_context(self._minutes, exchange, self._given_of(exchange), *where)

    # The end.

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way; raise what has gone wrong since the last time."""
        self._line.wait(timeout_s)

    def close(self) -> None:
        """Stop everything and finish the journal."""
        self.cancel()
        self._line.close()
        if self._owns_runner:
            self._runner.stop()
        self._minutes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # How it goes on.

    def _given_of(self, exchange: int) -> QuestionInputs:
        return self._given.get(exchange) or given_of(self.ledger, exchange, self.volume)

    def _ask(self, conversation: int, exchange: Turn, given: QuestionInputs) -> int:
        given.check(exchange.question, self.volume)
        who = self._answerer
        id_ = self._minutes.ask(lambda id_: asked_record(id_, conversation, exchange, who, given))
        self._given[id_] = given
        emit_safely(self.changed)
        helpers = ModelChoices(who, self.segmenter, self.grounder)
        self._line.put(id_, lambda calls: self._answering.answer(calls, id_, given, helpers))
        return id_
