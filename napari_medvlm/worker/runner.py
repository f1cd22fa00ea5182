"""Runners of requests: in this thread or in a worker process.

Sessions know only `Runner` and `Job`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar, cast

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.worker.executor import Executor
from napari_medvlm.worker.messages import Reply, ReplyRequest, Request

OnProgress = Callable[[float, str], None]
OnText = Callable[[str], None]
ReplyT = TypeVar("ReplyT")


class Job:
    """A submitted request. Thread-safe."""

    def __init__(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> None:
        self.request = request
        self._on_progress = on_progress
        self._on_text = on_text
        self._future: Future[Reply | None] = Future()
        self._unwanted = threading.Event()
        self._guard = threading.Lock()

    def result(self, timeout_s: float | None = None) -> Reply:
        """Wait for the answer.

        Raises
        ------
        Cancelled
            If the job was cancelled.
        WorkerHung
            If the job was cancelled and the worker had to be killed because it did not react.
        WorkerCrashed
            If the worker process ended.
        MedVLMError
            If the backend fails.
        """
        reply = self._future.result(timeout_s)
        assert reply is not None, "a plain request has no reply"
        return reply

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end, whatever it is; errors as of `result`."""
        self._future.result(timeout_s)

    def cancel(self) -> None:
        """Cancel the job."""
        self._unwanted.set()

    @property
    def unwanted(self) -> bool:
        """Whether it was cancelled."""
        return self._unwanted.is_set()

    def done(self) -> bool:
        """Whether there is an answer or an error."""
        return self._future.done()

    def add_done_callback(self, callback: Callable[[Job], None]) -> None:
        """Call back on the runner's thread when done, or at once if it is."""
        self._future.add_done_callback(lambda _: callback(self))

    def progress(self, fraction: float, message: str = "") -> None:
        """Forward the progress."""
        if self._on_progress is not None:
            self._on_progress(fraction, message)

    def deliver(self, text: str) -> None:
        """Forward generated text."""
        if self._on_text is not None:
            self._on_text(text)

    def finish(self, outcome: Reply | MedVLMError | None) -> None:
        """Set the answer or the error; a second one is dropped."""
        with self._guard:
            if self._future.done():
                return
            if isinstance(outcome, MedVLMError):
                self._future.set_exception(outcome)
            else:
                self._future.set_result(outcome)


class Runner(ABC):
    """Executes requests one after the other."""

    @abstractmethod
    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """Submit a request; returns at once.

        Parameters
        ----------
        on_progress
            Called on the runner's thread with how far it is, 0 to 1, and what is being done.
        on_text
            Called on the runner's thread with each piece of an answer's text as it comes.
        """

    def reply_to(
        self,
        request: ReplyRequest[ReplyT],
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> ReplyT:
        """Submit a request and wait for its reply; errors as of `Job.result`."""
        return cast("ReplyT", self.submit(request, on_progress, on_text).result())

    @abstractmethod
    def stop(self) -> None:
        """End the work and free what it holds. The next request starts a new worker."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class InlineRunner(Runner):
    """Works in the caller's thread: `submit` returns when the job is done.

    To stop a job, raise `Cancelled` in ``on_progress``.
    """

    def __init__(self) -> None:
        self._executor = Executor()

    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """Execute a request now."""
        job = Job(request, on_progress, on_text)
        try:
            job.finish(self._executor.do(request, job.progress, job.deliver))
        except MedVLMError as error:
            job.finish(error)
        return job

    def stop(self) -> None:
        """Unload all backends."""
        self._executor = Executor()
