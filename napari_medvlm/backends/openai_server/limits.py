"""Limits of what a server may send: the memory of this process does not depend on the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, TypeVar

from napari_medvlm.data.errors import BackendFailed

T = TypeVar("T")

LONGEST_LINE = 1 << 20
"""Bytes without a line break; one piece of an answer takes a few hundred."""
MOST_BYTES = 32 << 20
"""Bytes of one response; an answer of `LONGEST` characters, one a piece, takes them."""
HINT = "The server may be misconfigured: see its log, or choose another one."


def typed(kind: type[T], value: Any) -> T | None:
    """A member of a response, `None` if it is left out.

    Raises
    ------
    TypeError
        If it has another type than in the protocol, which the library does not check.
    """
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


async def limit(response: Any) -> None:
    """Limit a response of httpx before its body is read; compressed ones are refused.

    Raises
    ------
    BackendFailed
        If the body is compressed, which was not asked for: its size cannot be limited.
    """
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise BackendFailed(f"The server sent a compressed response ({encoding[:40]!r}).", HINT)
    library = import_module(type(response).__module__.partition(".")[0])
    kind = type("LimitedStream", (_Limited, library.AsyncByteStream), {})
    response.stream = kind(response.stream)


class _Limited:
    """The body of a response, which fails where it becomes too long."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = line = 0
        async for chunk in self._stream:
            total += len(chunk)
            end = chunk.rfind(b"\n")
            line = line + len(chunk) if end < 0 else len(chunk) - end - 1
            if line > LONGEST_LINE or total > MOST_BYTES:
                raise BackendFailed(
                    f"The server sent too much: a line of {line} bytes, {total} bytes in all.", HINT
                )
            yield chunk

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
