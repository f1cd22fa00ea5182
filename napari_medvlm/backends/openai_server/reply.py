"""Accumulate a streamed answer: text, reasoning, tool calls and option probabilities."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.openai_server.request import ToolCallIds
from napari_medvlm.backends.openai_server.stream import Piece
from napari_medvlm.backends.vlm.chat_messages import LETTERS, pictures_of
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, stream_for
from napari_medvlm.data.answer import AnswerKind, Question
from napari_medvlm.language.sentences import without_loop

LONGEST = 200_000
"""Characters after which no model has anything more to say."""
CALL_COST = 20
"""Characters that a part of a tool call counts at least."""
MOST_TOKENS = 1000
"""Tokens whose probabilities are looked at."""
LOOKED_AT, LOOPED, LOOK_EVERY = 6000, 600, 200
"""Characters: how much of the end is searched for a loop, how long one is endless, how often."""
UNKNOWN_END = "The server did not mark the answer as complete. If it looks cut off, ask again."
_AROUND = re.compile(r"^[\s*_(\"'▁Ġ]+|[\s*_).:,\"']+$")


class Reply:
    """The answer received so far.

    Parameters
    ----------
    question, row
        What was asked, and how the model writes.
    name
        The model that was asked for; empty: any.
    """

    def __init__(self, question: Question, row: Row, name: str = "") -> None:
        self._name = name
        self._model = ""
        self._has_images = bool(pictures_of(question))
        self.begun = False
        """Whether anything has come."""
        self.is_over = False
        """Whether there is nothing more to wait for."""
        self._calls = ToolCallIds(question.tools, len(question.steps))
        self._options = _keys(question)
        self._stream = stream_for(question, row)
        self._thinking: list[str] = []
        self._token_probabilities: list[Mapping[str, float]] = []
        self._finish = ""
        self._tokens = 0
        self._length = self._looked = 0
        self._stopped = ""

    def feed(self, piece: Piece) -> str:
        """Take a piece; what of the text may be shown now. What exceeds `LONGEST` is left out."""
        piece = _cut(piece, max(LONGEST + 1 - self._length, 0))
        self.begun = self.begun or bool(piece.text or piece.thinking or piece.calls)
        self._finish = self._finish or piece.finish
        self._tokens = piece.tokens or self._tokens
        self._model = self._model or piece.model
        if piece.thinking:
            self._thinking.append(piece.thinking)
        self._calls.feed(piece.calls)
        shown = self._stream.feed(piece.text) if piece.text else ""
        if self._options and not self._stream.is_thinking:
            self._token_probabilities += piece.likely[
                : MOST_TOKENS - len(self._token_probabilities)
            ]
        self._length += len(piece.text) + len(piece.thinking) + sum(map(_length, piece.calls))
        if self._length - self._looked >= LOOK_EVERY:
            self._looked = self._length
            self._stop_if_endless()
        return shown

    def end(self) -> str:
        """No more comes: what was still held back."""
        return self._stream.end()

    @property
    def has_ended(self) -> bool:
        """Whether generation has finished; token counts may still follow."""
        return bool(self._finish)

    def doing(self, silent_s: float) -> str:
        """Status of the server as a message."""
        if not self.begun:
            return f"Waiting for the server, {silent_s:.0f} s"
        thinks = self._stream.is_thinking or (self._thinking and not self._stream.text)
        return "Thinking" if thinks else "Writing"

    def written(self, notes: Sequence[str]) -> ModelOutput:
        """The complete output."""
        own = [self._stopped] if self._stopped else []
        if is_other_model(self._name, self._model):
            own.append(
                f"The server answered with the model {self._model!r}, and {self._name!r} was asked"
                " for. Boxes are read in the format of the latter."
            )
        if self._finish == "content_filter":
            own.append("The server filtered part of the answer.")
        if not self._finish and not self._stopped and self.begun:
            own.append(UNKNOWN_END)
        if not self.begun:
            images = " or when the model accepts no images" if self._has_images else ""
            own.append(
                "Some servers send nothing when the question is longer than the context"
                + images
                + "."
            )
        return ModelOutput(
            self._stream.text,
            "".join(self._thinking),
            self._calls.joined(),
            self._tokens,
            self._probabilities(),
            self._finish == "length",
            (*notes, *own),
        )

    def _stop_if_endless(self) -> None:
        text = self._calls.arguments or self._stream.text or "".join(self._thinking)
        end = text[-LOOKED_AT:]
        if len(end) - len(without_loop(end)[0]) >= LOOPED:
            self._stopped = "The model repeated itself and was stopped."
        elif self._length > LONGEST:
            self._stopped = f"The model was stopped after {LONGEST} characters."
        self.is_over = bool(self._stopped)

    def _probabilities(self) -> tuple[float, ...]:
        """Probability of each option at the first token where options dominate."""
        for position in self._token_probabilities:
            mass = [0.0] * len(self._options)
            for token, logprob in position.items():
                key = _AROUND.sub("", token).casefold()
                if key in self._options:
                    mass[self._options.index(key)] += math.exp(min(logprob, 0.0))
            if math.isfinite(sum(mass)) and sum(mass) > 0.5:
                return tuple(share / sum(mass) for share in mass)
        return ()


def is_other_model(asked: str, answered: str) -> bool:
    """Whether the name that a server states is that of another model than was asked for.

    Folders, the ending ``.gguf``, tags such as ``:latest``, and what one name adds at its end
    (a date, a quantization) are left out of account.
    """
    names = [_bare_name(asked), _bare_name(answered)]
    return all(names) and not (names[0] in names[1] or names[1] in names[0])


def _bare_name(name: str) -> str:
    last = name.strip().replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()
    return re.sub(r"[^a-z0-9]", "", last.removesuffix(".gguf").removesuffix(":latest"))


def _length(call: Any) -> int:
    """Characters of a part of a tool call, and some for each part."""
    function = getattr(call, "function", None)
    texts = getattr(function, "name", None), getattr(function, "arguments", None)
    return CALL_COST + sum(len(text) for text in texts if isinstance(text, str))


def _cut(piece: Piece, left: int) -> Piece:
    """A piece with no more characters of each kind than there are left."""
    return replace(piece, text=piece.text[:left], thinking=piece.thinking[:left])


def _keys(question: Question) -> tuple[str, ...]:
    """Answer tokens of each option."""
    if question.kind is AnswerKind.YES_NO:
        return ("yes", "no")
    if question.kind is AnswerKind.CHOICE:
        return tuple(LETTERS[: len(question.options)].casefold())
    return ()
