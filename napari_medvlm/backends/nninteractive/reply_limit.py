"""Limit the replies of a server: the memory of this process does not depend on the server."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from napari_medvlm.data.errors import BackendFailed

BASE_BYTES = 2**20
"""Bytes of a reply beyond those of its mask."""
BYTES_A_VOXEL = 2
"""Bytes of a reply for each voxel of the image; a mask has one, and compression may add some."""
_HEADER = "<4sBBBB"
"""Magic, version, codec, number of axes and length of the name of the type of a packed array."""


def limit(response: Any, voxels: int) -> None:
    """Limit a response of httpx before its body is read.

    Parameters
    ----------
    response
        The response; its body has not been read.
    voxels
        Number of voxels of the image that the server has.

    Raises
    ------
    BackendFailed
        If the body is compressed by HTTP, is too long, or holds an array larger than the image.
    """
    import httpx

    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise BackendFailed(
            f"The server sent a compressed reply ({encoding[:40]!r}).",
            "The server may be misconfigured: see its log, or choose another server.",
        )
    most = BASE_BYTES + BYTES_A_VOXEL * voxels
    kind = type("LimitedStream", (_Limited, httpx.SyncByteStream), {})
    response.stream = kind(response.stream, most)
    size = packed_bytes(response.read())
    if size > most:
        raise _too_large(size, most)


def packed_bytes(body: bytes) -> int:
    """The bytes of the array that a reply holds when it is unpacked; 0 if it holds none."""
    try:
        magic, _, _, axes, length = struct.unpack_from(_HEADER, body)
        start = struct.calcsize(_HEADER)
        if magic != _magic():
            return 0
        itemsize = np.dtype(body[start : start + length].decode("ascii")).itemsize
        shape = struct.unpack_from(f"<{axes}q", body, start + length)
    except (struct.error, TypeError, ValueError):  # the library refuses it
        return 0
    return int(itemsize * math.prod(abs(size) for size in shape))


def _magic() -> bytes:
    from nnInteractive.inference.remote.serialization import MAGIC

    return bytes(MAGIC)


def _too_large(size: int, most: int) -> BackendFailed:
    return BackendFailed(
        f"The server sent a reply of {size} bytes or more; a mask of the image has at most {most}.",
        "Prompts are not lost. See the log of the server, or choose another server.",
    )


class _Limited:
    """The body of a response, which fails where it becomes too long."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for chunk in self._stream:
            total += len(chunk)
            if total > self._most:
                raise _too_large(total, self._most)
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
