"""The work of a session, one thing after the other, away from who asks for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from psygnal import EmitLoopError, SignalInstance

from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.sessions.request_sender import RequestSender
from napari_medvlm.worker.runner import InlineRunner, OnProgress, Runner

Work = Callable[[RequestSender], None]


class JobQueue:
    """Does what is put into it in that order: inline in the caller's thread, else in its own.

    Each piece of work has a key, by which it can be stopped; several may have the same.

    Parameters
    ----------
    runner
        Who does the requests.
    on_progress
        Called with how far the present request is, 0 to 1, and what is being done.
    on_failure
        Called with what went wrong with a piece of work; the rest goes on.
    """

    def __init__(
        self,
        runner: Runner,
        on_progress: OnProgress,
        on_failure: Callable[[MedVLMError], None],
    ) -> None:
        self._runner = runner
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._waiting: deque[tuple[int, Work]] = deque()
        self._running: tuple[int, RequestSender] | None = None
        self._working = False
        self._closed = False
        self._failure: MedVLMError | None = None
        self._changed = threading.Condition(threading.RLock())

    @property
    def pending(self) -> bool:
        """Whether anything runs or waits."""
        with self._changed:
            return self._working or bool(self._waiting)

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of what runs and waits, in order."""
        with self._changed:
            running = () if self._running is None else (self._running[0],)
            return (*running, *(key for key, _ in self._waiting))

    @property
    def running(self) -> int | None:
        """The key of what runs."""
        running = self._running
        return None if running is None else running[0]

    def put(self, key: int, work: Work) -> None:
        """Have work done after what is there; inline, it is done on return."""
        with self._changed:
            if self._closed:
                return
            self._waiting.append((key, work))
            if self._working:
                return
            self._working = True
        self._go()

    def stop(self, key: int) -> None:
        """Stop what runs under a key, and drop what waits."""
        with self._changed:
            kept = [item for item in self._waiting if item[0] != key]
            self._waiting = deque(kept)
            running = self._running
        if running is not None and running[0] == key:
            running[1].stop()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing runs or waits; raise what has gone wrong since the last time."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self.pending, timeout_s):
                raise TimeoutError(f"No answer within {timeout_s} s.")
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stop everything and take nothing more."""
        self._closed = True
        for key in reversed(self.keys):  # what waits must not begin now
            self.stop(key)

    def _go(self) -> None:
        if isinstance(self._runner, InlineRunner):
            self._work()
        else:
            threading.Thread(target=self._work, name="medvlm-ask", daemon=True).start()

    def _work(self) -> None:
        try:
            while self._next():
                pass
        except BaseException:  # an error of the program's own: the rest is done all the same
            with self._changed:
                self._running = None
                self._working = bool(self._waiting)
                self._changed.notify_all()
            if self._working:
                self._go()
            raise

    def _next(self) -> bool:
        """Do the next thing; whether there was any."""
        with self._changed:
            if not self._waiting:
                self._working = False
                self._changed.notify_all()
                return False
            key, work = self._waiting.popleft()
            calls = RequestSender(self._runner, self._on_progress)
            self._running = key, calls
        failure: MedVLMError | None = None
        try:
            work(calls)
        except Cancelled:
            pass
        except MedVLMError as error:
            failure = None if calls.stopped else error
        with self._changed:
            self._running = None
            self._failure = failure or self._failure
        if failure is not None:
            self._on_failure(failure)
        return True


logger = logging.getLogger(__name__)


def emit_safely(signal: SignalInstance, *values: Any) -> None:
    """Emit a signal; an error of a listener goes to the log and stops nothing."""
    try:
        signal.emit(*values)
    except (EmitLoopError, RuntimeError):  # a window that is gone raises RuntimeError
        logger.exception("A listener of %s failed", signal.name)
