"""Translate errors of a server into messages with a remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import BackendFailed, BackendUnavailable, MedVLMError, OutOfMemory

if TYPE_CHECKING:
    from openai import APIStatusError

LONGEST_QUOTE = 240
"""Characters of a server's message that are passed on."""
LISTED = 12
"""Names of models that are listed."""
TOO_LONG = re.compile(
    r"context (length|size|window)|context_length|exceed_context|maximum model length"
    r"|prompt is too long|too many tokens",
    re.IGNORECASE,
)
TOO_MANY_PICTURES = re.compile(r"at most (\d+) image", re.IGNORECASE)
TOO_LARGE = re.compile(
    r"(image|picture)[^.]{0,60}(too large|too big|exceed|maximum)|too (large|big)[^.]{0,20}image",
    re.IGNORECASE,
)
NO_PICTURES = re.compile(
    r"not a multimodal|mmproj|unsupported content part|not compiled for multimodal"
    r"|(image|vision|multimodal|multi-modal)[^.]{0,40}(not support|unsupported|not configured)"
    r"|(not support|unsupported|missing)[^.]{0,40}(image|vision|multimodal)",
    re.IGNORECASE,
)
NO_SUCH_MODEL = re.compile(
    r"model\b.*(not found|not exist|not loaded|unknown|invalid|pinned)"
    r"|(unknown|invalid|no such|no) model|not in the model[_ ]?list"
    r"|is pinned to|not a valid model|not a local folder",
    re.IGNORECASE,
)
OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemory|\bOOM\b|cudaMalloc", re.IGNORECASE)


def server_message(error: Exception) -> str:
    """The server's own error message."""
    body = getattr(error, "body", None)
    for name in ("error", "message", "detail", "msg"):
        while isinstance(body, dict) and name in body:
            body = body[name]
    words = body if isinstance(body, str) and body.strip() else str(body or error)
    flat = " ".join(words.split())
    if len(flat) > LONGEST_QUOTE:
        return f"{flat[:LONGEST_QUOTE]}…"
    return flat if flat.endswith((".", "!", "?")) else f"{flat}."


def user_error(error: Exception, base_url: str, begun: bool = False) -> MedVLMError:
    """An error of the connection or of the server, for the user.

    Parameters
    ----------
    begun
        Whether a part of the answer had come.
    """
    import openai

    match error:
        case MedVLMError():
            return error
        case openai.APIConnectionError(__cause__=MedVLMError() as cause):
            return cause
        case openai.APIStatusError():
            return _by_status(error, base_url)
        case openai.APITimeoutError():
            return BackendUnavailable(
                f"The server at {base_url} did not answer in time.",
                "Check that it runs and is not busy, then ask again.",
            )
        case openai.APIConnectionError() if begun:
            return BackendFailed(
                f"The connection to {base_url} was lost during the answer.",
                "The partial answer remains. Check that the server still runs, then ask again.",
            )
        case openai.APIConnectionError():
            return BackendUnavailable(
                f"No server answers at {base_url}: {_cause(error)}.",
                "Start the server, and check the address and the port.",
            )
        case openai.APIError():
            return _by_words(server_message(error)) or BackendFailed(
                f"The server at {base_url} stopped: {server_message(error)}",
                "The partial answer remains. See the server's log, then ask again.",
            )
        case _:
            return BackendFailed(
                f"The server at {base_url} sent an unreadable response: {_cause(error)}.",
                "The partial answer remains. Check that it is an OpenAI-compatible server and that "
                "its address ends correctly, usually in /v1.",
            )


def may_be_the_name(error: Exception) -> bool:
    """Return whether an error may be caused by an unknown model name."""
    import openai

    if not isinstance(error, openai.APIStatusError) or _by_words(server_message(error)) is not None:
        return False
    return (
        error.status_code in (404, 500) or NO_SUCH_MODEL.search(server_message(error)) is not None
    )


def wrong_name(
    error: Exception, base_url: str, name: str, offered: Sequence[str]
) -> BackendUnavailable:
    """The error for a model name that the server does not list.

    A server that does not name the model in its message may have failed for another reason: its
    message comes first.
    """
    listed = ", ".join(offered[:LISTED]) or "none"
    more = f" and {len(offered) - LISTED} more" if len(offered) > LISTED else ""
    words = server_message(error)
    if getattr(error, "status_code", 0) >= 500 and NO_SUCH_MODEL.search(words) is None:
        return BackendUnavailable(
            f"The server at {base_url} failed ({error.status_code}): {words} "  # type: ignore[attr-defined]
            f"It does not list a model {name!r}.",
            f"If the name is the cause, choose one of: {listed}{more}. Else see the server's log.",
        )
    return BackendUnavailable(
        f"The server at {base_url} does not list a model {name!r}: {words}",
        f"Choose one of: {listed}{more}.",
    )


def _by_status(error: APIStatusError, base_url: str) -> MedVLMError:
    status, words = error.status_code, server_message(error)
    known = _by_words(words)
    if known is not None:
        return known
    if status in (301, 302, 303, 307, 308):
        return BackendUnavailable(
            f"The server at {base_url} sends on to {error.response.headers.get('location')}, which "
            "is not followed.",
            "If that is the server you mean, write its own address.",
        )
    if status in (401, 403):
        return BackendUnavailable(
            f"The server at {base_url} rejected the API key ({status}): {words}",
            "Set the environment variable NAPARI_MEDVLM_API_KEY to this server's key and start "
            "napari again, or keep the key in the system's keyring.",
        )
    if status == 404:
        return BackendUnavailable(
            f"{base_url} has no chat endpoint (404): {words}",
            "Check the end of the address, usually /v1.",
        )
    if status == 413 or TOO_LARGE.search(words):
        return BackendFailed(
            f"The images exceed the limit of the server at {base_url} ({status}): {words}",
            "Send fewer slices or a smaller region.",
        )
    if status == 429:
        return BackendFailed(
            f"The server at {base_url} is overloaded (429): {words}",
            "Wait a while, then ask again.",
        )
    if status >= 500:
        return BackendFailed(
            f"The server at {base_url} failed ({status}): {words}",
            "See its log. Ask again, or send fewer images.",
        )
    return BackendFailed(
        f"The server at {base_url} rejected the question ({status}): {words}",
        "Change the question or the images, or choose another model.",
    )


def _by_words(words: str) -> MedVLMError | None:
    """Errors recognized by the server's message, at any status."""
    if OUT_OF_MEMORY.search(words):
        return OutOfMemory(
            f"The server ran out of memory: {words}",
            "Send fewer or smaller images, or load a smaller model on the server.",
        )
    if TOO_LONG.search(words):
        return BackendFailed(
            f"The question exceeds the context length: {words}",
            "Ask in a new conversation, shorten what is known of the patient, or start the server "
            "with a longer context.",
        )
    if NO_PICTURES.search(words):
        return BackendUnavailable(
            f"The model does not accept images: {words}",
            "Choose a model that sees, or start the server with the part of the model that does "
            "(llama.cpp: --mmproj).",
        )
    return None


def _cause(error: BaseException) -> str:
    """The innermost reason."""
    while error.__cause__ is not None:
        error = error.__cause__
    text: Any = str(error).strip().rstrip(".")
    return f"{type(error).__name__}: {text[:LONGEST_QUOTE]}" if text else type(error).__name__
