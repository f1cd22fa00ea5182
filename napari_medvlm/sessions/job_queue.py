"""Run the jobs of a session one after the other, in a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from psygnal import EmitLoopError, SignalInstance

from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.sessions.request_sender import RequestSender
from napari_medvlm.worker.runner import InlineRunner, OnProgress, Runner

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Work = Callable[[RequestSender], None]


class JobQueue(Generic[Key]):
    """Jobs that run in the order in which they were put.

    With an `InlineRunner` they run in the caller's thread, otherwise in a thread of the queue.
    Each job has a key by which it can be stopped; several jobs may have the same key.

    Parameters
    ----------
    runner
        Carries out the requests of the jobs.
    on_progress
        Called with the progress of the running request, 0 to 1, and a message.
    on_failure
        Called with the error of a job; the next job runs all the same.
    on_done
        Called when a job has left the queue, after ``on_failure``; after the last job `pending` is
        already false.
    """

    def __init__(
        self,
        runner: Runner,
        on_progress: OnProgress,
        on_failure: Callable[[MedVLMError], None],
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._runner = runner
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._on_done = on_done
        self._waiting: deque[tuple[Key, Work]] = deque()
        self._running: tuple[Key, RequestSender] | None = None
        self._working = False
        self._closed = False
        self._failure: MedVLMError | None = None
        self._changed = threading.Condition(threading.RLock())

    @property
    def pending(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._working or bool(self._waiting)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Keys of the running and the waiting jobs, in order; none of a closed queue."""
        with self._changed:
            if self._closed:
                return ()
            running = () if self._running is None else (self._running[0],)
            return (*running, *(key for key, _ in self._waiting))

    @property
    def running(self) -> Key | None:
        """Key of the running job."""
        running = self._running
        return None if running is None else running[0]

    def put(self, key: Key, work: Work) -> None:
        """Append a job; with an `InlineRunner` it is done on return."""
        with self._changed:
            if self._closed:
                return
            self._waiting.append((key, work))
            if self._working:
                return
            self._working = True
        self._start()

    def drop_waiting(self) -> None:
        """Remove all waiting jobs; the running job goes on."""
        with self._changed:
            self._waiting.clear()

    def stop(self, key: Key) -> None:
        """Stop the running job with a key, and remove the waiting ones."""
        with self._changed:
            self._waiting = deque(item for item in self._waiting if item[0] != key)
            running = self._running
        if running is not None and running[0] == key:
            running[1].stop()

    def stop_all(self) -> None:
        """Remove all waiting jobs and stop the running one."""
        with self._changed:
            self._waiting.clear()
            running = self._running
        if running is not None:
            running[1].stop()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no job runs or waits.

        Raises
        ------
        TimeoutError
            If that takes longer.
        MedVLMError
            The last error since the previous call.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self.pending, timeout_s):
                raise TimeoutError(f"No answer within {timeout_s} s.")
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stop all jobs and accept no more."""
        self._closed = True
        self.stop_all()

    def _start(self) -> None:
        if isinstance(self._runner, InlineRunner):
            self._work()
        else:
            threading.Thread(target=self._work, name="medvlm-jobs", daemon=True).start()

    def _work(self) -> None:
        try:
            while self._run_next():
                pass
        except BaseException:  # a programming error in a job: run the others, then raise it
            with self._changed:
                self._running = None
                self._working = bool(self._waiting)
                self._changed.notify_all()
            if self._working:
                self._start()
            raise

    def _run_next(self) -> bool:
        """Run the next job; `False` if none waits."""
        with self._changed:
            if not self._waiting:
                self._working = False
                self._changed.notify_all()
                return False
            key, work = self._waiting.popleft()
            sender = RequestSender(self._runner, self._on_progress)
            self._running = key, sender
        failure: MedVLMError | None = None
        try:
            work(sender)
        except Cancelled:
            pass
        except MedVLMError as error:
            failure = None if sender.stopped else error
        with self._changed:
            self._running = None
            self._failure = failure or self._failure
        if failure is not None:
            self._on_failure(failure)
        with self._changed:
            self._working = bool(self._waiting)
            is_last = not self._working
        self._on_done()
        with self._changed:
            self._changed.notify_all()
        return not is_last


def emit_safely(signal: SignalInstance, *values: Any) -> None:
    """Emit a signal; errors of listeners are logged, not raised."""
    try:
        signal.emit(*values)
    except (EmitLoopError, RuntimeError):  # Qt raises RuntimeError if the widget was deleted
        logger.exception("A listener of %s failed", signal.name)
