"""nnInteractive on a server: the same prompts and masks, with no model on this computer."""

from __future__ import annotations

import math
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.nninteractive.server_client import (
    EXAMPLE,
    claimed,
    client,
    error_context,
    not_another,
)
from napari_medvlm.backends.nninteractive.session import (
    SessionSync,
    Step,
    image_of,
    split_model,
    steps_of,
)
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable, Cancelled
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
from napari_medvlm.data.volume import Volume
from napari_medvlm.settings.allowed_hosts import (
    require_allowed,
)

POLL_S = 0.1


class NNInteractiveServerBackend(Backend):
    """A session on a server of nnInteractive; replayed in a new one if it is lost."""

    info = BackendInfo(
        name="nninteractive-server",
        title="nnInteractive server",
        prompts=frozenset({Point, Box, Scribble, Lasso, Line, InitialMask}),
        code_licence="Apache-2.0",
        weights_licence="CC-BY-NC-SA-4.0 (published weights)",
        modules=("nnInteractive", "httpx", "blosc2"),
    )

    _server: Server

    def load(self, model: str | None, device: str) -> None:
        """Claim a session.

        Parameters
        ----------
        model
            The server's address; ``#no-autozoom`` after it switches AutoZoom off.
        device
            Not looked at: the server has its own.

        Raises
        ------
        BackendUnavailable
            If there is no such server, it lets nobody in, or images may not be sent to it.
        """
        url, autozoom = split_model(model)
        if not url:
            raise BackendUnavailable(
                "nnInteractive on a server needs a server address, but none was given.",
                f"Give it as the model, for example {EXAMPLE}",
            )
        require_allowed(url)
        self._server = Server(url, autozoom)
        # All that is sent goes through one thread, so that a call that is no longer waited for
        # ends before the next begins.
        self._thread = ThreadPoolExecutor(1, "nninteractive-server")
        weakref.finalize(self, self._server.close)
        self._thread.submit(self._server.connect).result()

    def set_volume(self, volume: Volume) -> None:
        """Take the volume; it is sent with the first prompt."""
        image_of(volume)
        self._thread.submit(self._server.take, volume).result()

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask; only new prompts are sent while the session lasts."""
        status = JobStatus()
        progress(0.0, "Waiting for the server")
        job = self._thread.submit(self._server.mask, steps_of(prompts), status)
        return waited(job, status, progress)


class JobStatus:
    """Progress shared between two threads."""

    def __init__(self) -> None:
        self.last = (0.0, "")
        self.unwanted = threading.Event()

    def __call__(self, fraction: float, message: str = "") -> None:
        """Store the progress; raise `Cancelled` if the job was cancelled."""
        if self.unwanted.is_set():
            raise Cancelled
        self.last = fraction, message


def waited(job: Future[Mask], status: JobStatus, progress: Progress) -> Mask:
    """Wait for a job while forwarding its progress; returns at once when cancelled."""
    try:
        while True:
            with suppress(TimeoutError):
                return job.result(timeout=POLL_S)
            progress(*status.last)
    finally:
        status.unwanted.set()


class Server:
    """A server and the session that it lends. Used from one thread."""

    def __init__(self, url: str, autozoom: bool) -> None:
        self._url = url
        self._autozoom = autozoom
        self._session: Any = None
        self._feed: SessionSync | None = None
        self._volume: Volume | None = None

    def connect(self) -> None:
        """Claim a session.

        Raises
        ------
        BackendUnavailable
            If that does not work; the text says why.
        """
        with error_context(self._url), not_another(self._url):
            self._session = claimed(self._url, self._voxels)
            if not self._autozoom:
                self._session.set_do_autozoom(False)

    def take(self, volume: Volume) -> None:
        """Set the volume of the next masks."""
        self._volume, self._feed = volume, None

    def mask(self, steps: tuple[Step, ...], status: JobStatus) -> Mask:
        """The mask after some steps; once more from the start if the session was lost.

        Raises
        ------
        BackendUnavailable
            If the server is gone, or has no place any more.
        BackendFailed
            If it refuses what it is asked, or needs too long.
        """
        import httpx

        expired = client().SessionExpiredError
        with error_context(self._url):
            try:
                return self._fed(status).mask(steps, status)
            except (httpx.TimeoutException, httpx.HTTPStatusError, BackendFailed):
                self.close()  # nobody knows what the session took
                raise
            except (expired, httpx.TransportError):
                self.close()
                status(0.0, "The session was lost: sending the image and all prompts again")
                return self._fed(status).mask(steps, status)

    def close(self) -> None:
        """Give the session back."""
        session, self._session, self._feed = self._session, None, None
        if session is not None:
            session.close()

    def _voxels(self) -> int:
        return 0 if self._volume is None else math.prod(self._volume.shape)

    def _fed(self, status: JobStatus) -> SessionSync:
        if self._session is None:
            self.connect()
        if self._feed is None:
            assert self._volume is not None, "prompts before an image"
            status(0.0, "Sending the image to the server")
            self._session.set_image(image_of(self._volume))
            self._feed = SessionSync(self._session, self._volume.grid)
        return self._feed
