"""Connection to an OpenAI-compatible server: address, key, models and HTTP client."""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.openai_server.errors import user_error
from napari_medvlm.backends.openai_server.limits import limit, typed
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.allowed_hosts import (
    allowed,
    checked_address,
    connect_to,
    is_private,
    origin,
    require_allowed,
)
from napari_medvlm.settings.api_keys import api_key

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_S = 10.0
SENT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length"}
)
"""What stays of what the library adds to the request: it describes this computer, too."""
AGENT = "napari-medvlm"


def address_of(model: str | None) -> tuple[str, str]:
    """The base address and the model's name, of ``http://127.0.0.1:8000/v1#name``.

    The name is empty if it is left out.

    Raises
    ------
    BackendUnavailable
        If there is no address.
    """
    if not model:
        raise BackendUnavailable(
            "No server was given.", "Write its address as http://127.0.0.1:8000/v1#model-name."
        )
    base, _, name = model.strip().partition("#")
    origin(base)
    return base.rstrip("/"), name


def leads_outside(name: str) -> bool:
    """Return whether a model of this name is forwarded to another server.

    Ollama passes questions for the models that it calls so on to its makers' servers.
    """
    return name.lower().endswith(("-cloud", ":cloud"))


def require_may_send(base_url: str, name: str) -> None:
    """Nothing, if images may be sent to a model behind a server.

    Raises
    ------
    BackendUnavailable
        If it lies outside the private network and the user did not choose the server.
    """
    require_allowed(base_url)
    if leads_outside(name) and origin(base_url) not in allowed():
        raise BackendUnavailable(
            f"The server at {origin(base_url)} passes questions for {name} on to servers outside, "
            "so images are not sent there.",
            "Choose a model that runs on this machine, or confirm that they may be sent, on the "
            "command line by --allow-remote.",
        )


def joined(base_url: str, name: str) -> str:
    """A base address and a model's name in one text; `address_of` parts them again."""
    base = base_url.strip().partition("#")[0].rstrip("/")
    return f"{base}#{name}" if name else base


def models_of(base_url: str, timeout_s: float = 5.0) -> list[str]:
    """The names of the models that a server offers. Takes a while: not for the window's thread.

    Raises
    ------
    BackendUnavailable
        If the server may not be asked, or does not answer.
    """
    require_allowed(base_url)

    async def names() -> list[str]:
        async with client(base_url) as server:
            listed = server.models.list(timeout=timeout_s)
            return [typed(str, model.id) or "" async for model in listed]

    from openai import OpenAIError

    with ThreadPoolExecutor(1, thread_name_prefix="medvlm-models") as apart:
        try:
            return apart.submit(asyncio.run, names()).result()
        except (OpenAIError, ValueError, AttributeError, TypeError) as error:
            raise user_error(error, base_url) from error


def client(base_url: str) -> AsyncOpenAI:
    """A connection to a server, to be used in ``async with``.

    Nothing is asked twice, no redirection is followed, and proxies are only for servers outside.
    """
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    key, address = api_key(base_url), checked_address(base_url)

    async def keep_to_ourselves(request: Any) -> None:
        for name in set(request.headers) - SENT_HEADERS:
            del request.headers[name]
        request.headers["User-Agent"] = AGENT
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        request.headers["Accept-Encoding"] = "identity"
        connect_to(request, address)

    return AsyncOpenAI(
        base_url=base_url,
        api_key="none",
        max_retries=0,
        timeout=Timeout(None, connect=CONNECT_S),
        http_client=DefaultAsyncHttpxClient(
            trust_env=not is_private(base_url),
            follow_redirects=False,
            verify=_certificates(base_url),
            event_hooks={"request": [keep_to_ourselves], "response": [limit]},
        ),
    )


def _certificates(base_url: str) -> ssl.SSLContext:
    """The TLS context, cached since loading it is slow."""
    if base_url.lower().startswith("https"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
