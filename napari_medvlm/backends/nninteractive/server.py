"""nnInteractive on a server: the same prompts and masks, with no model on this computer."""

from __future__ import annotations

import math
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.nninteractive.reply_limit import limit
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
    checked_address,
    connect_to,
    is_private,
    origin,
    require_allowed,
)

KEY = "NAPARI_MEDVLM_API_KEY"
SERVICE = "napari-medvlm"
"""The name under which a keyring stores keys, each for the origin of a server's address."""
POLL_S = 0.1
EXAMPLE = "http://127.0.0.1:1527"
_connecting = threading.Lock()


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


def claimed(url: str, voxels: Callable[[], int] = lambda: 0) -> Any:
    """The library's session on a server.

    Parameters
    ----------
    url
        Address of the server.
    voxels
        The number of voxels of the image, by which replies are limited.
    """
    session_class = client().nnInteractiveRemoteInferenceSession
    session = session_class.__new__(session_class)
    try:
        with _own_connection(
            url, voxels
        ):  # an empty key: the library would take that of another program
            session.__init__(url, api_key=key_of(url) or "")
    except BaseException:  # the library leaves its connection open when it is turned away
        if hasattr(session, "_http"):
            session._http.close()
        raise
    return session


@contextmanager
def _own_connection(url: str, voxels: Callable[[], int]) -> Iterator[None]:
    """Within, the library connects without proxies to the address that was checked.

    Replies are limited by the number of voxels of the image.

    Proxies are for servers outside the private network only.
    """
    import httpx

    module = sys.modules[client().nnInteractiveRemoteInferenceSession.__module__]
    address = checked_address(url)
    hooks = {
        "request": [lambda request: connect_to(request, address), _uncompressed],
        "response": [lambda response: limit(response, voxels())],
    }
    options = {"trust_env": not is_private(url), "event_hooks": hooks, "follow_redirects": False}
    names = {name: getattr(httpx, name) for name in httpx.__all__}
    names["Client"] = partial(httpx.Client, **options)
    with _connecting:
        module.httpx = SimpleNamespace(**names)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            module.httpx = httpx  # type: ignore[attr-defined]


def _uncompressed(request: Any) -> None:
    """Ask for a reply whose size can be limited."""
    request.headers["Accept-Encoding"] = "identity"


def client() -> Any:
    """The library's client module, imported without torch."""
    loaded = "torch" in sys.modules
    if not loaded:
        sys.modules["torch"] = None  # type: ignore[assignment]  # what Python takes for "missing"
    try:
        from nnInteractive.inference import remote
    finally:
        if not loaded:
            del sys.modules["torch"]
    return remote


def key_of(url: str) -> str | None:
    """The key for a server: ``NAPARI_MEDVLM_API_KEY``, else what the keyring has for its origin."""
    if KEY in os.environ:
        return os.environ[KEY]
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    with suppress(KeyringError):
        key: str | None = keyring.get_password(SERVICE, origin(url))
        return key
    return None


@contextmanager
def error_context(url: str) -> Iterator[None]:
    """Errors of a server, in words."""
    import httpx

    at = origin(url)
    try:
        yield
    except client().ServerAtCapacityError as error:
        raise BackendUnavailable(
            f"The server {at} has no free session: {error}.",
            "All sessions are in use. Wait, or restart the server with a larger --max-sessions.",
        ) from error
    except httpx.HTTPStatusError as error:
        raise _refused(at, error.response) from error
    except httpx.ConnectError as error:
        raise BackendUnavailable(
            f"No server answers at {at}: {error}.",
            "Start it with: nninteractive-server --model nnInteractive_v1.0, or correct the "
            "address.",
        ) from error
    except httpx.TimeoutException as error:
        raise BackendFailed(
            f"The server {at} did not answer in time ({type(error).__name__}).",
            "Prompts are not lost. Try again, or choose another server.",
        ) from error
    except (client().SessionExpiredError, httpx.TransportError) as error:
        raise BackendFailed(
            f"The server {at} lost the session twice: {error}.", "Prompts are not lost. Try again."
        ) from error


@contextmanager
def not_another(url: str) -> Iterator[None]:
    """Check that the server is an nnInteractive server."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise _another(origin(url)) from error


def _another(at: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"The service at {at} is not an nnInteractive server.",
        f"Correct the address; for example {EXAMPLE}",
    )


def _refused(at: str, response: Any) -> BackendUnavailable | BackendFailed:
    if response.status_code in (401, 403):
        return BackendUnavailable(
            f"The server {at} rejected the API key."
            if "Authorization" in response.request.headers
            else f"The server {at} requires an API key.",
            f"Set the variable {KEY}, or store it with: keyring set {SERVICE} {at}",
        )
    if response.status_code in (404, 405):
        return _another(at)
    detail = response.text.strip()[:200]
    return BackendFailed(
        f"The server {at} refused the request ({response.status_code}): {detail}",
        "Prompts are not lost. Change them, or choose another server.",
    )
