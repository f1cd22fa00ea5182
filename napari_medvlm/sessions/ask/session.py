"""Conversations about one volume, without a window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from psygnal import Signal

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.interface.arguments import as_mask, require_volume
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.ask import require_answers
from napari_medvlm.sessions.ask.check_context import AnswerCheckContext, answer_check_context
from napari_medvlm.sessions.ask.conversation_session import ConversationSession
from napari_medvlm.sessions.ask.explain import require_explainable
from napari_medvlm.sessions.ask.ground_claim import request_of
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.question_records import question_record, recorded_inputs
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs, generated_objects
from napari_medvlm.sessions.ask.turn import TurnRunner
from napari_medvlm.sessions.job_queue import JobQueue, emit_safely
from napari_medvlm.sessions.request_sender import ModelChoice, ModelChoices, RunnerKind, new_runner
from napari_medvlm.settings.chosen_models import remember
from napari_medvlm.worker.runner import Runner


class AskSession(ConversationSession):
    """Questions about one volume and their answers, in conversations.

    Questions are answered one after the other, and every answer is recorded, whether it is
    complete, stopped or failed. Signals may be emitted on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    backend, model, device
        The model that answers; a file, folder or name, `None` for the backend's default.
    runner
        ``"worker"``: in worker processes. ``"inline"``: in the caller's thread. Or a shared runner,
        which `close` does not stop.
    journal
        File to which each record is appended, see `io.journal`.
    ledger
        An earlier session of the same image to resume.

    Attributes
    ----------
    segmenter, grounder
        The models behind the tools that the answering model calls.
    changed
        Signal: a conversation changed, or another one is active.
    delta
        Signal: more text of the running turn.
    progressed
        Signal: progress of the running request, 0 to 1, and a message.
    stepped
        Signal: a round of tool calls is over.
    failed
        Signal: the `MedVLMError` of a request.

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
        runner: RunnerKind | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        journal: Path | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.volume = require_volume(volume)
        self.segmenter = self.grounder = ModelChoice()
        self.use(backend, model, device)
        self._owns_runner = isinstance(runner, str)
        self._runner = new_runner(runner) if isinstance(runner, str) else runner
        super().__init__(
            ConversationHistory(
                volume, ledger, journal, lambda error: emit_safely(self.failed, error)
            )
        )
        self._inputs: dict[int, QuestionInputs] = {}
        self._queue: JobQueue[int] = JobQueue(
            self._runner,
            lambda fraction, text: emit_safely(self.progressed, fraction, text),
            lambda error: emit_safely(self.failed, error),
            lambda: emit_safely(self.changed),
        )
        self._turns = TurnRunner(
            self._history,
            self._queue,
            changed=lambda: emit_safely(self.changed),
            delta=lambda text: emit_safely(self.delta, text),
            stepped=lambda step: emit_safely(self.stepped, step),
        )

    def remove(self, conversation: int) -> None:
        """Remove a conversation and stop its turns; its records stay in the ledger."""
        for turn in reversed(self._history.conversation(conversation).turns):
            self._turns.stop(turn.id)
        super().remove(conversation)

    # Questions.

    @property
    def pending(self) -> bool:
        """Whether a turn runs or waits."""
        return self._queue.pending

    @property
    def running(self) -> int | None:
        """Id of the running turn."""
        return self._queue.running

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Use another model for the next questions."""
        require_answers(backend)
        remember(backend, model)
        self._answerer = ModelChoice(backend, model, device)

    def ask(  # noqa: PLR0913  # the inputs of a question
        self,
        text: str,
        *,
        kind: AnswerKind = AnswerKind.OPEN,
        options: Sequence[str] = (),
        context: str = "",
        selection: ImageSelection | None = None,
        masks: Mapping[str, Mask | NDArray[Any]] | None = None,
        labels: Sequence[NamedLabels] = (),
        tools: Collection[str] = (),
    ) -> int:
        """Ask a question in the active conversation; returns the id of the turn.

        Returns at once unless the runner is inline, see `wait`.

        Parameters
        ----------
        selection
            The slices to send; `None`: no images, for backends that measure.
        masks
            Objects by name, on the volume's grid.
        labels
            Label images of this patient.
        tools
            Names of `tool_schemas.TOOLS` that the model may call.

        Raises
        ------
        InvalidPrompt
            If the question is empty, or the selection contains no slice of the image.
        GeometryMismatch
            If a mask is on another grid.
        """
        objects = {name: as_mask(name, mask, self.volume) for name, mask in (masks or {}).items()}
        turn = Turn(0, text.strip(), "", None, kind, tuple(options), context)
        inputs = QuestionInputs(selection, objects, tuple(labels), tuple(tools))
        return self._ask(self._active, turn, inputs)

    def regenerate(self, turn_id: int) -> int:
        """Ask a question again; returns the id of the new turn, see `edit`."""
        return self.edit(turn_id, self.turn(turn_id).question)

    def edit(self, turn_id: int, text: str) -> int:
        """Replace a question by another one, for the backend in use.

        The turn and the later ones leave the conversation; they stay in the ledger.

        Returns
        -------
        The id of the new turn.
        """
        turn, inputs = self.turn(turn_id), self._inputs_of(turn_id)
        inputs.check(text, self.volume)
        conversation = self._history.conversation_of(turn_id)
        dropped = self._history.since(turn_id)
        for id_ in reversed(dropped):  # the last first, so that none starts now
            self._turns.stop(id_)
        self._history.drop(dropped)
        return self._ask(conversation, replace(turn, question=text.strip()), inputs)

    def cancel(self, turn_id: int | None = None) -> None:
        """Stop a turn, or all of them; partial answers are kept."""
        for id_ in reversed(self._queue.keys) if turn_id is None else (turn_id,):
            self._turns.stop(id_)
        emit_safely(self.changed)

    # Claims and answers.

    def ground_claim(
        self, turn_id: int, claim: int, backend: str = "embedded", model: str | None = None
    ) -> None:
        """Find the regions of a claim that came without, see `wait`.

        Raises
        ------
        BackendUnavailable
            If there is no such backend, or it does not find phrases.
        InvalidPrompt
            If there is no such claim, or it only denies findings.
        """
        text = self._history.claim(turn_id, claim).text
        inputs = self._inputs_of(turn_id)
        generated = generated_objects((*self._history.before(turn_id), self.turn(turn_id)))
        choice = ModelChoice(backend, model, self._answerer.device)
        request = request_of(text, self.volume, inputs, generated, choice)
        ground = self._turns.ground
        self._queue.put(turn_id, lambda sender: ground(sender, request, turn_id, claim))
        emit_safely(self.changed)

    def explain(self, turn_id: int, image_number: int = 0) -> None:
        """Compute an evidence map of an answer with the model that gave it, see `wait`.

        The result is `Turn.evidence`. `backends.evidence.cost` returns how many model calls it
        takes.

        Parameters
        ----------
        image_number
            Number of the image that was sent, from 0.

        Raises
        ------
        InvalidPrompt
            If the backend cannot do so, or that image does not show this volume.
        """
        require_explainable(self.turn(turn_id), image_number)
        inputs, device = self._inputs_of(turn_id), self._answerer.device
        explain = self._turns.explain
        self._queue.put(
            turn_id, lambda sender: explain(sender, turn_id, inputs, device, image_number)
        )
        emit_safely(self.changed)

    def basis(self, turn_id: int) -> AnswerCheckContext:
        """The context for checks of an answer; their results are recorded."""
        return answer_check_context(
            self._history,
            turn_id,
            self._inputs_of(turn_id),
            self._runner,
            self._answerer.device,
            lambda: emit_safely(self.changed),
        )

    # The end.

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no turn runs or waits; errors as of `JobQueue.wait`."""
        self._queue.wait(timeout_s)

    def close(self) -> None:
        """Stop all turns and finish the journal."""
        self.cancel()
        self._queue.close()
        if self._owns_runner:
            self._runner.stop()
        self._history.close()

    def _inputs_of(self, turn_id: int) -> QuestionInputs:
        return self._inputs.get(turn_id) or recorded_inputs(self.ledger, turn_id, self.volume)

    def _ask(self, conversation: int, turn: Turn, inputs: QuestionInputs) -> int:
        inputs.check(turn.question, self.volume)
        answerer = self._answerer
        record = partial(
            question_record,
            conversation=conversation,
            turn=turn,
            answerer=answerer,
            inputs=inputs,
            patient=self.volume.patient,
        )
        turn_id = self._history.ask(record)
        self._inputs[turn_id] = inputs
        emit_safely(self.changed)
        models = ModelChoices(answerer, self.segmenter, self.grounder)
        self._queue.put(turn_id, lambda sender: self._turns.answer(sender, turn_id, inputs, models))
        return turn_id
