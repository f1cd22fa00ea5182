"""Sending the requests of one answer, one after the other, until somebody stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from napari_medvlm.data.errors import Cancelled
from napari_medvlm.worker.messages import Reply, Request
from napari_medvlm.worker.runner import InlineRunner, Job, OnProgress, OnText, Runner


@dataclass(frozen=True)
class ModelChoice:
    """Who does something: a backend, its model and its device."""

    backend: str = "embedded"
    model: str | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class ModelChoices:
    """Who answers, and who does what the answerer calls tools for."""

    answerer: ModelChoice
    segmenter: ModelChoice
    grounder: ModelChoice


class RequestSender:
    """Sends requests and waits for their replies; can be stopped from any thread.

    Parameters
    ----------
    on_progress
        Called with how far the present request is, 0 to 1, and what is being done.
    """

    def __init__(self, runner: Runner, on_progress: OnProgress) -> None:
        self._runner = runner
        self._on_progress = on_progress
        self._job: Job | None = None
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Send nothing more, and cancel what is on its way."""
        self._stopped.set()
        job = self._job
        if job is not None:
            job.cancel()

    def send(self, request: Request, on_text: OnText = lambda _: None) -> Reply:
        """The reply to a request.

        Raises
        ------
        Cancelled
            If somebody stopped it.
        MedVLMError
            As of `Job.result`.
        """
        if self._stopped.is_set():
            raise Cancelled
        job = self._runner.submit(request, self._told(self._on_progress), self._told(on_text))
        self._job = job
        if self._stopped.is_set():
            job.cancel()
        return job.result()

    def _told(self, tell: Callable[..., None]) -> Callable[..., None]:
        """A callback that, inline, stops the work when it is not wanted any more."""

        def call(*values: object) -> None:
            if not self._stopped.is_set():
                tell(*values)
            if self._stopped.is_set() and isinstance(self._runner, InlineRunner):
                raise Cancelled

        return call
