"""Run the turns of a session: each ends answered, stopped or failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from napari_medvlm.backends import registry
from napari_medvlm.data.answer import Answer
from napari_medvlm.data.conversation import Evidence, State
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.sessions.ask.explain import explain_request
from napari_medvlm.sessions.ask.ground_claim import grounded
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.tool_loop import (
    AnswerLoop,
    QuestionInputs,
    earlier_turns,
    render_images,
    resent_note,
)
from napari_medvlm.sessions.job_queue import JobQueue
from napari_medvlm.sessions.request_sender import ModelChoices, RequestSender
from napari_medvlm.settings.log_file import log_path
from napari_medvlm.worker.messages import GroundRequest

STOPPED = "Stopped; the partial answer remains. Ask again for a complete one."


class TurnRunner:
    """Runs turns, and records text, tool rounds and answers as they arrive.

    Parameters
    ----------
    history
        Records the turns.
    queue
        Runs the methods with a `RequestSender`; its keys are ids of turns.
    changed, delta, stepped
        Called when a turn changed, with more text, and with a round of tool calls.
    """

    def __init__(
        self,
        history: ConversationHistory,
        queue: JobQueue[int],
        *,
        changed: Callable[[], None],
        delta: Callable[[str], None],
        stepped: Callable[[ToolRound], None],
    ) -> None:
        self._history = history
        self._queue = queue
        self._changed = changed
        self._delta = delta
        self._stepped = stepped
        self._clock = _Clock()

    def stop(self, turn_id: int) -> None:
        """Stop all jobs of a turn; the partial answer is kept."""
        self._queue.stop(turn_id)
        running = self._queue.running == turn_id
        self._history.end(turn_id, State.STOPPED, problem=STOPPED, **self._clock.times(running))

    def answer(
        self, sender: RequestSender, turn_id: int, inputs: QuestionInputs, models: ModelChoices
    ) -> None:
        """Answer the question of a turn, and record how it ended."""
        if not self._history.start(turn_id):
            return
        self._clock = clock = _Clock()
        self._changed()
        try:
            answer = self._answer(sender, turn_id, inputs, models)
        except Cancelled:
            self._history.end(turn_id, State.STOPPED, problem=STOPPED, **clock.times())
        except MedVLMError as error:
            self._history.end(turn_id, State.FAILED, problem=str(error), **clock.times())
            raise
        except BaseException as error:  # a programming error: show it in the turn, then raise it
            problem = f"Internal error: {error!r}. See the log: {log_path()}"
            self._history.end(turn_id, State.FAILED, problem=problem, **clock.times())
            raise
        else:
            self._history.end(turn_id, State.ANSWERED, answer, **clock.times())
        finally:
            self._changed()

    def _answer(
        self, sender: RequestSender, turn_id: int, inputs: QuestionInputs, models: ModelChoices
    ) -> Answer:
        history = self._history
        model_input = render_images(history.volume, inputs)
        if model_input.pictures:
            history.show(turn_id, model_input)
            self._changed()
        loop = AnswerLoop(
            history.volume,
            sender,
            models,
            on_text=lambda text: self._on_text(turn_id, text),
            on_step=lambda step: self._on_step(turn_id, step),
        )
        earlier = history.before(turn_id)
        turn = history.turn(turn_id)
        answer = loop.answer(turn, inputs, earlier, model_input)
        resent = resent_note(earlier_turns(turn, earlier, model_input))
        notes = (*model_input.notes, *((resent,) if resent else ()))
        return replace(answer, notes=(*notes, *answer.notes))

    def _on_text(self, turn_id: int, text: str) -> None:
        self._clock.text()
        self._history.write(turn_id, text)
        self._delta(text)

    def _on_step(self, turn_id: int, step: ToolRound) -> None:
        self._history.step(turn_id, step)
        self._stepped(step)
        self._changed()

    def ground(
        self, sender: RequestSender, request: GroundRequest, turn_id: int, number: int
    ) -> None:
        """Find the regions of a claim, and record them."""
        reply = sender.send(request)
        claim = self._history.claim(turn_id, number)
        title = registry.info(request.backend).title
        self._history.ground(turn_id, number, grounded(claim, reply.grounding, title))
        self._changed()

    def explain(
        self,
        sender: RequestSender,
        turn_id: int,
        inputs: QuestionInputs,
        device: str,
        image_number: int,
    ) -> None:
        """Compute an evidence map of an answer, and record it."""
        history = self._history
        turn, earlier = history.turn(turn_id), history.before(turn_id)
        request = explain_request(history.volume, turn, inputs, earlier, device, image_number)
        reply = sender.send(request)
        history.explain(turn_id, Evidence(reply.heatmap, image_number, reply.seconds))
        self._changed()


class _Clock:
    """Measures the time to the first text and to the end of an answer."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._first: float | None = None

    def text(self) -> None:
        """Note the time of the first text."""
        if self._first is None:
            self._first = time.perf_counter() - self._start

    def times(self, running: bool = True) -> dict[str, Any]:
        """Seconds, as fields of a `Turn`; empty if it never ran."""
        if not running:
            return {}
        return {"seconds": time.perf_counter() - self._start, "first_token_s": self._first}
