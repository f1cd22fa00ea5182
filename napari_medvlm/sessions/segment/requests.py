"""Who asks the backend, and when: one request an object, the newest list of prompts wins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from napari_medvlm.data.errors import Cancelled, MedVLMError, WorkerCrashed, WorkerHung
from napari_medvlm.sessions.segment.label_map import Key
from napari_medvlm.worker.messages import SegmentReply, SegmentRequest
from napari_medvlm.worker.runner import Job, Runner

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Whom `Requests` tells; called on the runner's thread."""

    def on_answer(self, key: Key, request: SegmentRequest, reply: SegmentReply) -> None:
        """The mask that was asked for is there."""

    def on_failure(self, key: Key, error: MedVLMError) -> None:
        """There is no mask; `Cancelled` if somebody wanted it so."""

    def on_progress(self, fraction: float, message: str) -> None:
        """How far the running request is, 0 to 1, and what it does."""

    def on_restart(self, message: str) -> None:
        """The worker died and the request was sent again: what happened."""


@dataclass(eq=False)
class _Asked:
    key: Key
    request: SegmentRequest
    job: Job | None = None
    crashed: bool = False


class Requests:
    """The requests in flight. Safe to call from any thread.

    A newer request for an object cancels the older, whose late answer is dropped. A request whose
    worker died is sent once more; if it dies again, that is an error.
    """

    def __init__(self, runner: Runner, listener: Listener) -> None:
        self._runner = runner
        self._listener = listener
        self._asked: dict[int, _Asked] = {}
        self._telling = 0
        self._idle = threading.Condition()

    def ask(self, key: Key, request: SegmentRequest) -> None:
        """Ask for the mask of an object; anything else asked for it before is no longer wanted."""
        with self._idle:
            older = self._asked.get(key[0])
            if older is not None and older.key == key:
                return
            asked = self._asked[key[0]] = _Asked(key, request)
        if older is not None and older.job is not None:
            older.job.cancel()
        self._send(asked)

    def drop(self, *but: Key) -> tuple[Key, ...]:
        """Whatever was asked is no longer wanted, but for some; what was dropped."""
        with self._idle:
            dropped = [asked for asked in self._asked.values() if asked.key not in but]
            for asked in dropped:
                del self._asked[asked.key[0]]
            self._idle.notify_all()
        for asked in dropped:
            if asked.job is not None:
                asked.job.cancel()
        return tuple(asked.key for asked in dropped)

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is on its way."""
        with self._idle:
            return frozenset(self._asked)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until nothing is on its way and all was told; whether that was so in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._asked and not self._telling, timeout_s)

    def _send(self, asked: _Asked) -> None:
        asked.job = self._runner.submit(asked.request, self._progress_of(asked))
        asked.job.add_done_callback(lambda job: self._on_done(asked, job))

    def _progress_of(self, asked: _Asked) -> Callable[[float, str], None]:
        def progress(fraction: float, message: str) -> None:
            if self._is_wanted(asked):
                self._listener.on_progress(fraction, message)

        return progress

    def _is_wanted(self, asked: _Asked) -> bool:
        return self._asked.get(asked.key[0]) is asked

    def _on_done(self, asked: _Asked, job: Job) -> None:
        if not self._is_wanted(asked):
            return
        try:
            reply = job.result()
            assert isinstance(reply, SegmentReply)
        except WorkerCrashed as error:
            if isinstance(error, WorkerHung) or asked.crashed:
                self._fail(asked, error)
            else:
                self._send_again(asked, error)
        except MedVLMError as error:
            self._fail(asked, error)
        else:
            self._tell(asked, lambda: self._listener.on_answer(asked.key, asked.request, reply))

    def _send_again(self, asked: _Asked, error: WorkerCrashed) -> None:
        logger.warning("The worker ended in a request, which is sent again. %s", error)
        asked.crashed = True
        self._listener.on_restart(error.message)
        self._send(asked)

    def _fail(self, asked: _Asked, error: MedVLMError) -> None:
        if not isinstance(error, Cancelled):
            logger.info("No mask for object %d. %s", asked.key[0], error)
        self._tell(asked, lambda: self._listener.on_failure(asked.key, error))

    def _tell(self, asked: _Asked, tell: Callable[[], None]) -> None:
        """Tell an outcome unless it is no longer wanted; who waits, waits until it is told."""
        with self._idle:
            if not self._is_wanted(asked):
                return
            del self._asked[asked.key[0]]
            self._telling += 1
        try:
            tell()
        finally:
            with self._idle:
                self._telling -= 1
                self._idle.notify_all()
