"""A server's answer piece by piece, read on a thread of its own so that it can be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from napari_medvlm.backends.openai_server.connection import client
from napari_medvlm.backends.openai_server.limits import typed
from napari_medvlm.data.errors import BackendFailed
from napari_medvlm.data.text import TextStream


@dataclass(frozen=True)
class Piece:
    """One chunk of the stream.

    Parameters
    ----------
    text, thinking
        More of the answer, and of what the model writes before it.
    calls
        Parts of calls of tools, as the protocol has them.
    likely
        The likeliest tokens at each place with log-probabilities, where the server has them.
    finish
        Why it is the end; empty: it is not.
    tokens
        How many tokens the model has written; 0: unknown.
    model
        The name of the model that writes, as the server has it; empty: unknown.
    """

    text: str = ""
    thinking: str = ""
    calls: tuple[Any, ...] = ()
    likely: tuple[Mapping[str, float], ...] = ()
    finish: str = ""
    tokens: int = 0
    model: str = ""


_END_TOKENS = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end)\|>|</s>|<(?:eos|bos|pad)>|<end_of_turn>"
)
"""Special tokens that end a text; they come where special tokens are not left out."""
NOTHING = Piece()
"""What has come when nothing has come in time."""


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class StreamReader:
    """The stream that answers a request; read from when ``with`` begins until it ends.

    Whatever it does, leaving ``with`` closes the connection, by which the server learns that
    nothing more is wanted.

    Parameters
    ----------
    base_url, body
        The server, and what it is asked.
    """

    def __init__(self, base_url: str, body: Mapping[str, Any]) -> None:
        self._base_url = base_url
        self._body = body
        self._come: queue.SimpleQueue[Piece | _End] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="medvlm-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._enough.set)
        self._thread.join()

    def next(self, timeout_s: float) -> Piece | None:
        """The next piece; `NOTHING` if none comes in time, `None` at the end.

        Raises
        ------
        Exception
            Whatever ended the stream too early.
        """
        try:
            come = self._come.get(timeout=timeout_s)
        except queue.Empty:
            return NOTHING
        if isinstance(come, Piece):
            return come
        if come.error is not None:
            raise come.error
        return None

    def _run(self) -> None:
        asyncio.run(self._until_enough())

    async def _until_enough(self) -> None:
        """Read until the end or until `__exit__`; what is left then, ``asyncio.run`` cancels."""
        self._loop, self._enough = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        reading = asyncio.create_task(self._read())
        enough = asyncio.create_task(self._enough.wait())
        await asyncio.wait({reading, enough}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            self._come.put(_End(reading.exception()))

    async def _read(self) -> None:
        async with client(self._base_url) as server:
            stream = await server.chat.completions.create(stream=True, **self._body)
            async with stream:
                self._require_stream(stream.response.headers.get("content-type", ""))
                text, thinking = TextStream(), TextStream()
                async for chunk in stream:
                    piece = _piece(chunk)
                    written, thought = text.add(piece.text), thinking.add(piece.thinking)
                    self._come.put(replace(piece, text=written, thinking=thought))
                self._come.put(Piece(text=text.end(), thinking=thinking.end()))

    def _require_stream(self, kind: str) -> None:
        if "event-stream" not in kind:
            raise BackendFailed(
                f"The server at {self._base_url} sent {kind or 'something'} and no stream.",
                "Check the end of the address, usually /v1.",
            )


def _piece(chunk: Any) -> Piece:
    """A part of the stream; servers leave out what they have nothing to say of.

    Raises
    ------
    TypeError
        If a member has another type than in the protocol, which the library does not check.
    """
    tokens = typed(int, getattr(getattr(chunk, "usage", None), "completion_tokens", None)) or 0
    model = typed(str, getattr(chunk, "model", None)) or ""
    choices = getattr(chunk, "choices", None)
    if not choices:
        return Piece(tokens=tokens, model=model)
    choice, delta = choices[0], getattr(choices[0], "delta", None)
    more = getattr(delta, "model_extra", None) or {}
    return Piece(
        text=_END_TOKENS.sub("", typed(str, getattr(delta, "content", None)) or ""),
        thinking=typed(str, more.get("reasoning_content") or more.get("reasoning")) or "",
        calls=tuple(getattr(delta, "tool_calls", None) or ()),
        likely=_likely(getattr(getattr(choice, "logprobs", None), "content", None) or ()),
        finish=typed(str, getattr(choice, "finish_reason", None)) or "",
        tokens=tokens,
        model=model,
    )


def _likely(tokens: Sequence[Any]) -> tuple[Mapping[str, float], ...]:
    return tuple(
        {
            str(candidate.token): float(candidate.logprob)
            for candidate in (token, *(token.top_logprobs or ()))
            if candidate.logprob is not None
        }
        for token in tokens
    )
