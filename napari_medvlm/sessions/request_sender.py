"""Send the requests of a job one after the other, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.settings.allowed_hosts import without_login
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import ReplyRequest
from napari_medvlm.worker.runner import InlineRunner, Job, OnProgress, OnText, ReplyT, Runner

RunnerKind = Literal["worker", "inline"]


def new_runner(kind: RunnerKind) -> Runner:
    """A runner with worker processes, or one that works in the caller's thread."""
    if kind not in ("worker", "inline"):
        raise BackendUnavailable(
            f"{kind!r} is not a runner.", 'Choose "worker" or "inline", or give a runner.'
        )
    return InlineRunner() if kind == "inline" else RoutedRunner()


@dataclass(frozen=True)
class ModelChoice:
    """A backend, its model (`None`: the backend's default) and the device to run on.

    A user and password in the address of a server are left out: the choice is recorded.
    """

    backend: str = "embedded"
    model: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.model is not None:
            object.__setattr__(self, "model", without_login(self.model))


@dataclass(frozen=True)
class ModelChoices:
    """The model that answers, and the models behind the tools that it calls."""

    answerer: ModelChoice
    segmenter: ModelChoice
    grounder: ModelChoice


class RequestSender:
    """Sends requests and waits for their replies; can be stopped from any thread.

    Parameters
    ----------
    runner
        Carries out the requests.
    on_progress
        Called with the progress of the running request, 0 to 1, and a message.
    """

    def __init__(self, runner: Runner, on_progress: OnProgress) -> None:
        self._runner = runner
        self._on_progress = on_progress
        self._job: Job | None = None
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Cancel the running request and send no more."""
        self._stopped.set()
        job = self._job
        if job is not None:
            job.cancel()

    def send(self, request: ReplyRequest[ReplyT], on_text: OnText = lambda _: None) -> ReplyT:
        """Send a request and wait for its reply.

        Raises
        ------
        Cancelled
            If the sender was stopped.
        MedVLMError
            As of `Job.result`.
        """
        if self._stopped.is_set():
            raise Cancelled
        job = self._runner.submit(
            request, self._until_stopped(self._on_progress), self._until_stopped(on_text)
        )
        self._job = job
        if self._stopped.is_set():
            job.cancel()
        return cast("ReplyT", job.result())

    def _until_stopped(self, callback: Callable[..., None]) -> Callable[..., None]:
        """The callback while the sender is not stopped; then it cancels an inline request."""

        def call(*values: object) -> None:
            if not self._stopped.is_set():
                callback(*values)
            if self._stopped.is_set() and isinstance(self._runner, InlineRunner):
                raise Cancelled

        return call
