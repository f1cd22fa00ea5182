"""Working on the exchanges of a session: each ends with an answer, stopped, or failed."""

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
from napari_medvlm.sessions.ask.tool_loop import AnswerLoop, QuestionInputs, render_images
from napari_medvlm.sessions.job_queue import JobQueue
from napari_medvlm.sessions.request_sender import ModelChoices, RequestSender
from napari_medvlm.worker.messages import ExplainReply, GroundReply, GroundRequest

STOPPED = "Stopped; what had come is kept. Ask again for the whole answer."


class TurnRunner:
    """Has questions answered, and writes down what comes.

    Parameters
    ----------
    minutes
        Where it is written.
    line
        What calls it, see `JobQueue.put`.
    changed, delta, stepped
        Called when an exchange has changed, with more text, and with a round that is over.
    """

    def __init__(
        self,
        minutes: ConversationHistory,
        line: JobQueue,
        *,
        changed: Callable[[], None],
        delta: Callable[[str], None],
        stepped: Callable[[ToolRound], None],
    ) -> None:
        self._minutes = minutes
        self._line = line
        self._changed = changed
        self._delta = delta
        self._stepped = stepped
        self._clock = _Clock()

    def stop(self, exchange: int) -> None:
        """Stop what is done for an exchange; what has come is kept."""
        self._line.stop(exchange)
        running = self._line.running == exchange
        self._minutes.end(exchange, State.STOPPED, problem=STOPPED, **self._clock.times(running))

    def answer(
        self, calls: RequestSender, id_: int, given: QuestionInputs, helpers: ModelChoices
    ) -> None:
        """Work on an exchange until it is over, in one way or another."""
        if not self._minutes.start(id_):
            return
        self._clock = clock = _Clock()
        self._changed()
        try:
            answer = self._answer_of(calls, id_, given, helpers)
        except Cancelled:
            self._minutes.end(id_, State.STOPPED, problem=STOPPED, **clock.times())
        except MedVLMError as error:
            self._minutes.end(id_, State.FAILED, problem=str(error), **clock.times())
            raise
        except BaseException as error:  # told, and raised where it can be seen
            problem = f"The program has an error of its own: {error!r}. The log has the details."
            self._minutes.end(id_, State.FAILED, problem=problem, **clock.times())
            raise
        else:
            self._minutes.end(id_, State.ANSWERED, answer, **clock.times())
        finally:
            self._changed()

    def _answer_of(
        self, calls: RequestSender, id_: int, given: QuestionInputs, helpers: ModelChoices
    ) -> Answer:
        looked = render_images(self._minutes.volume, given)
        if looked.pictures:
            self._minutes.show(id_, looked)
            self._changed()
        asking = AnswerLoop(
            self._minutes.volume,
            calls,
            helpers,
            on_text=lambda text: self._on_text(id_, text),
            on_step=lambda step: self._on_step(id_, step),
        )
        answer = asking.answer(
            self._minutes.exchange(id_), given, self._minutes.before(id_), looked
        )
        return replace(answer, notes=(*looked.notes, *answer.notes))

    def _on_text(self, exchange: int, text: str) -> None:
        self._clock.text()
        self._minutes.write(exchange, text)
        self._delta(text)

    def _on_step(self, exchange: int, step: ToolRound) -> None:
        self._minutes.step(exchange, step)
        self._stepped(step)
        self._changed()

    def ground(
        self, calls: RequestSender, request: GroundRequest, exchange: int, number: int
    ) -> None:
        """Have a claim grounded."""
        reply = calls.send(request)
        assert isinstance(reply, GroundReply)
        claim = self._minutes.claim(exchange, number)
        title = registry.info(request.backend).title
        self._minutes.ground(exchange, number, grounded(claim, reply.grounding, title))
        self._changed()

    def explain(
        self, calls: RequestSender, id_: int, given: QuestionInputs, device: str, picture: int
    ) -> None:
        """Have the backend that answered tell which parts of a picture that comes from."""
        minutes = self._minutes
        exchange = minutes.exchange(id_)
        reply = calls.send(
            explain_request(minutes.volume, exchange, given, minutes.before(id_), device, picture)
        )
        assert isinstance(reply, ExplainReply)
        minutes.explain(id_, Evidence(reply.heatmap, picture, reply.seconds))
        self._changed()


class _Clock:
    """How long an answer takes, and its first text."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._first: float | None = None

    def text(self) -> None:
        """That there is text."""
        if self._first is None:
            self._first = time.perf_counter() - self._start

    def times(self, running: bool = True) -> dict[str, Any]:
        """Seconds, as fields of an exchange."""
        if not running:
            return {}
        return {"seconds": time.perf_counter() - self._start, "first_token_s": self._first}
