"""The runner that knows which Python each backend runs in."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

from napari_medvlm.backends.model_code.code_folder import WORKER, code_of
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.data.errors import BackendUnavailable, SettingsError
from napari_medvlm.worker.environments import Environments
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.process_runner import WorkerRunner
from napari_medvlm.worker.runner import Job, OnProgress, OnText, Runner

_living: weakref.WeakSet[RoutedRunner] = weakref.WeakSet()
_living_guard = threading.Lock()
CODE_VARIABLES = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip
"""Of workers that run code of a model: nothing is fetched, and nothing is written next to it."""


def living() -> tuple[RoutedRunner, ...]:
    """All runners of this process, of whatever window and dock."""
    with _living_guard:
        return tuple(_living)


class RoutedRunner(Runner):
    """One worker process for each Python that backends run in, started on first use.

    A model with its own code has a worker of its own, and the Python that the file names for the
    added model, if it does.

    The file of environments is read again whenever it has changed, so corrections apply at once.
    Jobs of one Python are done one after the other; those of different ones side by side.

    Memory is not shared between them: each process loads the libraries and caches the models that
    it was asked for last, also on the same GPU, and each volume is parked once for each process.

    Parameters
    ----------
    cancel_grace_s
        Time that a cancelled job has to stop, in seconds.
    """

    def __init__(self, cancel_grace_s: float = 3.0) -> None:
        self._grace_s = cancel_grace_s
        self._workers: dict[str, WorkerRunner] = {}
        self._guard = threading.Lock()
        with _living_guard:
            _living.add(self)

    @property
    def models(self) -> tuple[tuple[str, str | None], ...]:
        """The backends and models that are loaded in workers now, as they were named."""
        with self._guard:
            workers = list(self._workers.values())
        return tuple(model for worker in workers for model in worker.models)

    @property
    def pids(self) -> Mapping[str, int]:
        """The process numbers of the workers that live, by their interpreters."""
        with self._guard:
            numbers = {python: worker.pid for python, worker in self._workers.items()}
        return {python: pid for python, pid in numbers.items() if pid is not None}

    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """Submit a request to the worker of its backend; returns at once."""
        try:
            environments = Environments.load()
            name = environments.name_of(request.backend, request.model)
            worker = self._worker(environments.python_of(name), code_folder(request))
        except (SettingsError, BackendUnavailable) as error:
            job = Job(request, on_progress, on_text)
            job.finish(error)
            return job
        return worker.submit(request, on_progress, on_text)

    def stop(self) -> None:
        """Cancel all jobs, end all workers, free the shared memory."""
        with self._guard:
            workers = list(self._workers.values())
        for worker in workers:
            worker.stop()

    def _worker(self, python: str, folder: str) -> WorkerRunner:
        """The worker of an interpreter, and of a folder with code that runs in no other worker."""
        key = f"{python} {folder}".strip()
        variables = {**CODE_VARIABLES, WORKER: folder} if folder else None
        with self._guard:
            if key not in self._workers:
                self._workers[key] = WorkerRunner(python, self._grace_s, _check, variables)
            return self._workers[key]


def code_folder(request: Request) -> str:
    """The folder of a request's model if it brings its own code, else empty.

    Raises
    ------
    BackendUnavailable
        If an added model is no longer where it was.
    """
    model = resolve(request.model)
    folder = Path(model).expanduser() if model else None
    return str(folder.resolve()) if folder is not None and code_of(folder) is not None else ""


def _check(job: Job) -> None:
    """Check that the Python of a job's backend, or of its model, works."""
    request, environments = job.request, Environments.load()
    name = environments.name_of(request.backend, request.model)
    environments.check(name, lambda: job.unwanted or job.done())
