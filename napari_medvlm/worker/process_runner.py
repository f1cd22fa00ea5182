"""The runner that works in a process of its own: a crash costs one click."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from napari_medvlm.data import errors
from napari_medvlm.data.errors import (
    BackendFailed,
    Cancelled,
    MedVLMError,
    WorkerCrashed,
    WorkerHung,
)
from napari_medvlm.settings.privacy import for_log
from napari_medvlm.worker.executor import MAX_BACKENDS
from napari_medvlm.worker.job_messages import (
    CancelJob,
    JobDone,
    JobFailed,
    ProgressUpdate,
    TextDelta,
)
from napari_medvlm.worker.messages import RegisterRequest, Reply, Request
from napari_medvlm.worker.process import WorkerProcess
from napari_medvlm.worker.runner import Job, OnProgress, OnText, Runner
from napari_medvlm.worker.shared_memory import SharedVolumes

logger = logging.getLogger(__name__)

POLL_S = 0.01


class WorkerRunner(Runner):
    """Sends requests to a worker process, which is started on first use and again after a crash.

    A cancelled job is asked to stop; if it does not, the process is ended. Jobs that wait behind
    one whose process died go to the next process. The process ends with this one, whatever happens.

    Parameters
    ----------
    python
        The interpreter of the worker; by default the one that runs this program.
    cancel_grace_s
        Time that a cancelled job has to stop, in seconds.
    before_start
        Called on the runner's thread with the job for which a process is about to be started; the
        `MedVLMError` that it raises fails the job.
    more_variables
        Further environment variables of the worker.
    """

    def __init__(
        self,
        python: str | None = None,
        cancel_grace_s: float = 3.0,
        before_start: Callable[[Job], None] = lambda _: None,
        more_variables: Mapping[str, str] | None = None,
    ) -> None:
        self._more_variables = more_variables
        self._python = python or sys.executable
        self._before_start = before_start
        self._grace_s = cancel_grace_s
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._running: Job | None = None
        self._process: WorkerProcess | None = None
        self._loaded_models: OrderedDict[tuple[str, str | None, str], None] = OrderedDict()
        self._shared_volumes = SharedVolumes()
        self._numbers = itertools.count(1)
        self._free_at_exit = weakref.finalize(self, self._shared_volumes.clear)

    @property
    def pid(self) -> int | None:
        """The worker's process number, if there is a worker."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def models(self) -> tuple[tuple[str, str | None], ...]:
        """The backends and models that the worker has loaded, as they were named."""
        return () if self.pid is None else tuple(key[:2] for key in list(self._loaded_models))

    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """Queue a request; returns at once."""
        job = Job(request, on_progress, on_text)
        with self._changed:
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="medvlm-runner", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def stop(self) -> None:
        """Cancel all jobs, end the worker, free the shared memory."""
        with self._changed:
            thread, self._thread = self._thread, None
            dropped = [*self._waiting]
            self._waiting.clear()
            running = self._running
            self._changed.notify_all()
        for job in dropped:
            job.finish(Cancelled())
        if running is not None:
            running.finish(Cancelled())  # which its thread sees, and ends the worker
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        """One thread for each time between two stops."""
        while (job := self._next()) is not None:
            job.finish(Cancelled() if job.unwanted else self._outcome(job))
            self._running = None
        if self._process is not None:
            self._process.close()
            self._process = None
        self._shared_volumes.clear()

    def _next(self) -> Job | None:
        """The next job that is wanted; `None` when stopped."""
        with self._changed:
            while self._thread is threading.current_thread():
                if self._waiting:
                    self._running = self._waiting.popleft()
                    return self._running
                self._changed.wait()
            return None

    def _outcome(self, job: Job) -> Reply | MedVLMError | None:
        try:
            return self._attempt(job)
        except MedVLMError as error:
            return error
        except (OSError, EOFError):
            process, self._process = self._process, None
            return Cancelled() if job.done() or process is None else process.crash()
        except Exception as error:  # noqa: BLE001  # the thread serves the next job, whatever this one raised
            logger.warning("A request failed in the viewer: %s", for_log(error))
            return BackendFailed(
                f"The request failed: {type(error).__name__}.", "Prompts are not lost; ask again."
            )

    def _attempt(self, job: Job) -> Reply | MedVLMError | None:
        number = next(self._numbers)
        message = self._shared_volumes.run(number, job.request)
        process = self._live_process(job)
        process.send(message)
        cancelled_at: float | None = None
        while True:
            answer = process.receive(POLL_S)
            if isinstance(answer, JobDone) and answer.job == number:
                self._note_loaded(job.request)
                return answer.reply
            if isinstance(answer, JobFailed) and answer.job == number:
                return _error(answer)
            _forward(answer, number, job)
            if job.done():
                self._process = None
                process.kill()
                return None
            if job.unwanted and cancelled_at is None:
                process.send(CancelJob(number))
                cancelled_at = time.monotonic()
            if cancelled_at is not None and time.monotonic() - cancelled_at > self._grace_s:
                return self._hung(process)

    def _live_process(self, job: Job) -> WorkerProcess:
        """The worker; a new one if it ended while it had nothing to do."""
        if self._process is None or not self._process.alive:
            self._process = None
            self._before_start(job)
            self._loaded_models.clear()
            self._process = WorkerProcess(self._python, self._more_variables)
        return self._process

    def _note_loaded(self, request: Request) -> None:
        """Remember what the worker has loaded, as `Work` has it; a registration loads nothing."""
        if isinstance(request, RegisterRequest):
            return
        key = (request.backend, request.model, request.device)
        self._loaded_models[key] = None
        self._loaded_models.move_to_end(key)
        while len(self._loaded_models) > MAX_BACKENDS:
            self._loaded_models.popitem(last=False)

    def _hung(self, process: WorkerProcess) -> WorkerCrashed:
        logger.warning("The worker did not stop within %.1f s and is ended.", self._grace_s)
        process.kill()
        self._process = None
        return WorkerHung(
            f"The backend did not stop within {self._grace_s:g} s and was ended.",
            "Prompts are not lost, and the next request starts a new worker.",
        )


def _forward(message: Any, number: int, job: Job) -> None:
    """Forward progress and text to a job."""
    if isinstance(message, ProgressUpdate) and message.job == number:
        job.progress(message.fraction, message.message)
    elif isinstance(message, TextDelta) and message.job == number:
        job.deliver(message.text)


def _error(failed: JobFailed) -> MedVLMError:
    kind = getattr(errors, failed.error, BackendFailed)
    return kind(failed.message, failed.hint)
