"""Answers by an OpenAI-compatible server: vLLM, Ollama, llama.cpp's, LM Studio, transformers."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from napari_medvlm.backends.base import Backend, BackendInfo, Progress, Task
from napari_medvlm.backends.models.catalog import ANY, Row, served_row
from napari_medvlm.backends.openai_server.connection import address_of, models_of, require_may_send
from napari_medvlm.backends.openai_server.errors import (
    TOO_LONG,
    TOO_MANY_PICTURES,
    may_be_the_name,
    server_message,
    user_error,
    wrong_name,
)
from napari_medvlm.backends.openai_server.images import framed_for
from napari_medvlm.backends.openai_server.reply import Reply
from napari_medvlm.backends.openai_server.request import prompt_of, refused, request_of
from napari_medvlm.backends.openai_server.stream import NOTHING, StreamReader
from napari_medvlm.backends.vlm.chat_messages import fewer_pictures, pictures_of
from napari_medvlm.backends.vlm.parse_answer import CitedImages, answer_of
from napari_medvlm.backends.vlm.parse_claims import crop_note
from napari_medvlm.data.answer import AnswerDelta, Question, plain_settings
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable, MedVLMError
from napari_medvlm.data.volume import Volume
from napari_medvlm.settings.allowed_hosts import require_allowed

TICK_S = 0.2
BATCH_S = 0.02
"""Text that comes within this time is passed on together: nobody reads faster."""
GRACE_S = 2.0
"""How long a server may take to close the stream of an answer that has ended."""
FOR_QUESTION = 0.75
"""Share of the context that a shortened question may fill; the answer needs the rest."""
TRIES = 8


class ServerBackend(Backend):
    """Asks a model behind a server; sends pixels and the texts of the question, nothing else.

    Parameters
    ----------
    first_s, silent_s
        How long to wait for the first sign of an answer, and for the next one, in seconds.
    """

    info = BackendInfo(
        name="server",
        title="Server",
        tasks=frozenset({Task.ANSWER}),
        code_licence="Apache-2.0",
        weights_licence="as of the server's model",
        modules=("openai",),
    )
    first_s = 300.0
    silent_s = 120.0

    @classmethod
    def tools_unsupported_reason(cls, model: str | None) -> str:
        """Reason in the catalogue why a model cannot call tools; empty if it can or none is
        chosen.
        """
        name = address_of(model)[1]
        return served_row(name).tools_unsupported_reason if name else ""

    def load(self, model: str | None, device: str) -> None:
        """Take the server and the model of ``http://127.0.0.1:8000/v1#name``.

        The name may be left out if the server offers one model only. The device is the server's.
        """
        import openai.resources.chat  # noqa: F401  # now, and not while the first answer is awaited

        self._url, name = address_of(model)
        require_allowed(self._url)
        self._name = name or _only(models_of(self._url), self._url)
        require_may_send(self._url, self._name)
        self._row = served_row(self._name)
        in_text = self._row.tools == "text" and self._row.kinds != (ANY,)
        self._without = frozenset({"tools"} if in_text else ())

    def set_volume(self, volume: Volume) -> None:
        """Nothing: the question brings the images."""

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """Send the question and yield the answer as it is streamed.

        Images that the model cannot take are left out, the first ones first, and that is noted.
        """
        import openai

        require_may_send(self._url, self._name)
        question, notes = _for_model(question, self._row)
        complete, cause = question, ""
        for tries_left in reversed(range(TRIES)):
            request = request_of(question, self._row, self._name, self._without)
            reply = Reply(question, self._row, self._name)
            try:
                yield from self._reported(request, reply, progress)
                break
            except (
                openai.OpenAIError,
                ValueError,
                LookupError,
                AttributeError,
                TypeError,
            ) as error:
                if reply.begun or not tries_left:
                    raise user_error(error, self._url, reply.begun) from error
                question, newer = self._easier(question, request, error)
                cause = newer or cause
        notes += _left_out(complete, question, cause)
        shown = self._shown(question)
        notes += [note] if (note := crop_note(shown)) else []
        written = reply.written(notes)
        answer = answer_of(written, question, self._row, shown, self._name)
        settings = plain_settings({k: v for k, v in request.items() if k != "model"})
        yield AnswerDelta(answer=replace(answer, prompt=prompt_of(request), settings=settings))

    def _reported(
        self, request: dict[str, Any], reply: Reply, progress: Progress
    ) -> Iterator[AnswerDelta]:
        """The text of an answer as it comes."""
        received_at, reported_at, waiting = time.monotonic(), 0.0, ""
        with StreamReader(self._url, request) as reading:
            while not reply.is_over:
                piece = reading.next(BATCH_S if waiting else TICK_S)
                now = time.monotonic()
                if piece is None or (reply.has_ended and now - received_at > GRACE_S):
                    break
                if piece is not NOTHING:
                    received_at, waiting = now, waiting + reply.feed(piece)
                progress(0.0, reply.doing(now - received_at))
                self._require_sign(now - received_at, reply.begun)
                if waiting and now - reported_at >= BATCH_S:
                    yield AnswerDelta(waiting)
                    reported_at, waiting = now, ""
        if rest := waiting + reply.end():
            yield AnswerDelta(rest)

    def _require_sign(self, silent_s: float, begun: bool) -> None:
        if silent_s > (self.silent_s if begun else self.first_s):
            raise BackendFailed(
                f"No response from {self._url} for {silent_s:.0f} s.",
                "The partial answer remains. The server may be loading the model or be overloaded: "
                "see its log, send fewer images, or choose a smaller model.",
            )

    def _easier(
        self, question: Question, request: dict[str, Any], error: Exception
    ) -> tuple[Question, str]:
        """The shortened question after a rejection, and why images were left out.

        Raises
        ------
        MedVLMError
            If nothing can be left out.
        """
        words, pictures = server_message(error), len(pictures_of(question))
        if (most := TOO_MANY_PICTURES.search(words)) and 0 < int(most[1]) < pictures:
            question, _ = fewer_pictures(question, pictures - int(most[1]))
            return question, f"The server takes {most[1]} at most."
        if TOO_LONG.search(words) and pictures:
            question, _ = fewer_pictures(question, _too_many(words, pictures))
            return question, "The question exceeded the context length."
        if part := refused(words, request):
            self._without |= {part}
            return question, ""
        raise self._meant(error) from error

    def _meant(self, error: Exception) -> MedVLMError:
        if may_be_the_name(error):
            try:
                offered = models_of(self._url)
            except BackendUnavailable:
                return user_error(error, self._url)
            if not {self._name, f"{self._name}:latest"} & set(offered):
                return wrong_name(error, self._url, self._name, offered)
        return user_error(error, self._url)

    def _shown(self, question: Question) -> list[CitedImages]:
        return [
            CitedImages(p, framed_for(p, self._row), caption)
            for p, caption in pictures_of(question)
        ]


def _for_model(question: Question, row: Row) -> tuple[Question, list[str]]:
    """A question without what a kind of model cannot take, and what was left out."""
    if not row.tools:
        question = replace(question, tools=())
    pictures = len(pictures_of(question))
    if not 0 < row.max_images < pictures:
        return question, []
    question, note = fewer_pictures(question, pictures - row.max_images)
    return question, [f"{row.title} was made for {row.max_images} at most. {note}"]


def _left_out(complete: Question, sent: Question, cause: str) -> list[str]:
    """The note on all images that were left out, however many tries it took; none if none was."""
    dropped = len(pictures_of(complete)) - len(pictures_of(sent))
    return [f"{cause} {fewer_pictures(complete, dropped)[1]}"] if dropped else []


def _only(offered: list[str], base_url: str) -> str:
    if len(offered) == 1:
        return offered[0]
    names = ", ".join(offered[:12]) or "none"
    raise BackendUnavailable(
        f"The server at {base_url} offers {len(offered)} models, but none was chosen.",
        f"Write the model's name behind a # at the end of the address. There are: {names}.",
    )


def _too_many(words: str, pictures: int) -> int:
    """Number of images to leave out, from the token counts in the server's message, or half.

    A quarter of the context remains for the answer.
    """
    numbers = sorted({int(number) for number in re.findall(r"\d{3,9}", words)})
    share = 1 - FOR_QUESTION * numbers[-2] / numbers[-1] if len(numbers) > 1 else 0.5
    return min(max(math.ceil(pictures * share), 1), pictures)
