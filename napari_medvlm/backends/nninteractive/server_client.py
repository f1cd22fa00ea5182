"""HTTP connections to an nnInteractive server, and their errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from napari_medvlm.backends.nninteractive.reply_limit import limit
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable
from napari_medvlm.settings.allowed_hosts import (
    checked_address,
    connect_to,
    is_private,
    origin,
)
from napari_medvlm.settings.api_keys import SERVICE, VARIABLE, api_key

EXAMPLE = "http://127.0.0.1:1527"

_connecting = threading.Lock()


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
            session.__init__(url, api_key=api_key(url))
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
            f"Set the variable {VARIABLE}, or store it with: keyring set {SERVICE} {at}",
        )
    if response.status_code in (404, 405):
        return _another(at)
    detail = response.text.strip()[:200]
    return BackendFailed(
        f"The server {at} refused the request ({response.status_code}): {detail}",
        "Prompts are not lost. Change them, or choose another server.",
    )
