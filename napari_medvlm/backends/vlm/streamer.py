"""A model of transformers at work: token by token, in a thread of its own.

The library's ``generate`` gives nothing back before it has ended, so it runs on a thread of its
own, and the caller gets its tokens from a queue. The model is loaded on that thread, and all that
it computes runs there as long as it lives: models remember the thread that they were loaded on, and
cuDNN stores its tuning separately for each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

from napari_medvlm.backends.models.transformers_loader import Loaded

TICK_S = 0.2
T = TypeVar("T")


class Streamer:
    """The thread of one model, which computes one thing at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "medvlm-model")

    def tokens(
        self, model: Any, inputs: Any, settings: Mapping[str, Any], tick: Callable[[], object]
    ) -> Generator[int]:
        """Yield generated tokens; closing the iterator stops the model.

        Parameters
        ----------
        model
            With the library's ``generate``.
        made
            Its inputs, of one text.
        settings
            As ``generate`` takes them.
        tick
            Called at each token, and every `TICK_S` seconds before; stops the model if it raises.
        """
        written: SimpleQueue[int | None] = SimpleQueue()
        unwanted = Event()
        future = self._thread.submit(_write, model, inputs, settings, written, unwanted)
        try:
            while (token := _next(written, tick)) is not None:
                yield token
            future.result()
        finally:
            unwanted.set()
            _end(future)

    def call(self, function: Callable[[], T]) -> T:
        """Return the result of a function that runs the model."""
        return self._thread.submit(function).result()


class Spelling:
    """Decode streamed tokens; incomplete characters are held back."""

    def __init__(self, loaded: Loaded) -> None:
        self._tokenizer = loaded.processor.tokenizer
        self._frame = loaded.frame
        self._tokens: list[int] = []
        self._sent = self._ready = 0

    def add(self, token: int) -> str:
        """Take a token; the text that it adds."""
        if token in self._frame:
            return ""
        self._tokens.append(token)
        before = self._decoded(self._tokens[self._sent : self._ready])
        text = self._decoded(self._tokens[self._sent :])
        if len(text) <= len(before) or text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._sent, self._ready = self._ready, len(self._tokens)
        return text[len(before) :]

    def _decoded(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=False))


class _Streamer:
    """Passes on what ``generate`` writes; the first that it gets is the question."""

    def __init__(self, written: SimpleQueue[int | None]) -> None:
        self._written = written
        self._begun = False

    def put(self, value: Any) -> None:
        if self._begun:
            for token in value.reshape(-1).tolist():
                self._written.put(token)
        self._begun = True

    def end(self) -> None:
        """Do nothing at the end of generation; `Streamer` reports the end and errors."""


def _write(
    model: Any,
    inputs: Any,
    settings: Mapping[str, Any],
    written: SimpleQueue[int | None],
    unwanted: Event,
) -> None:
    """Generate into a queue, ended by `None`, until cancelled."""
    import torch

    def stop(tokens: Any, *_: Any) -> Any:
        return torch.full((tokens.shape[0],), unwanted.is_set(), device=tokens.device)

    try:
        with torch.inference_mode():
            model.generate(
                **inputs, **settings, streamer=_Streamer(written), stopping_criteria=[stop]
            )
    finally:
        written.put(None)


def _next(written: SimpleQueue[int | None], tick: Callable[[], object]) -> int | None:
    while True:
        try:
            token = written.get(timeout=TICK_S)
        except Empty:
            tick()
        else:
            tick()
            return token


def _end(future: Future[None]) -> None:
    """Wait for the end; an error was raised where the tokens were awaited, or is of no matter."""
    future.exception()
