"""Embeddings on disk: what took long to compute is there the next time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.settings.paths import home

logger = logging.getLogger(__name__)

LIMIT_MIB = 8192
"""How much is kept: about 2000 slices of the full-size networks."""
_PENDING = 8
_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
"""How values become bytes: as they are, and a checksum."""
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What is raised where files do not hold what they should."""
_STALE_S = 3600.0
Identity = Mapping[str, str]


class EmbeddingStore:
    """A folder of zarr arrays, one a slice: ``<folder>/<plane>/<slice>``.

    An entry appears whole or not at all, is checked when it is read, and is computed again if it is
    damaged. When there are too many, those are removed that were not used for longest. Writing is
    done by a thread of its own, and a disk that is full or read-only is no error: nothing is kept.

    Parameters
    ----------
    folder
        ``embeddings`` in the program's folder if `None`.
    limit_mib
        How much may be kept.
    """

    def __init__(self, folder: Path | None = None, limit_mib: float = LIMIT_MIB) -> None:
        self.folder = folder or home() / "embeddings"
        self.limit = int(limit_mib * 2**20)
        self._room: int | None = None
        self._writer = ThreadPoolExecutor(1, "embeddings")
        self._pending: deque[Future[None]] = deque()

    def has(self, plane: Identity, index: int) -> bool:
        """Return whether there is an entry for a slice, even a damaged one."""
        return self._path(plane, index).is_dir()

    def get(self, plane: Identity, index: int) -> NDArray[np.float32] | None:
        """The embedding ``(c, h, w)`` of a slice; `None` if it is not there or damaged."""
        path = self._path(plane, index)
        if not path.is_dir():
            return None
        try:
            values = _values(path, plane)
            os.utime(path)
        except _DAMAGED as error:
            logger.info("An embedding is damaged and will be computed again: %s", error)
            shutil.rmtree(path, ignore_errors=True)
            return None
        return values

    def put(self, plane: Identity, index: int, embedding: NDArray[np.float32]) -> None:
        """Store the embedding ``(c, h, w)`` of a slice; it is written by a thread."""
        while len(self._pending) >= _PENDING or (self._pending and self._pending[0].done()):
            self._pending.popleft().result()
        self._pending.append(self._writer.submit(self._write, plane, index, embedding))

    def wait(self) -> None:
        """Come back when all that was put is written."""
        while self._pending:
            self._pending.popleft().result()

    def _path(self, plane: Identity, index: int) -> Path:
        key = json.dumps(dict(plane), sort_keys=True).encode()
        return self.folder / hashlib.blake2b(key, digest_size=12).hexdigest() / str(index)

    def _write(self, plane: Identity, index: int, embedding: NDArray[np.float32]) -> None:
        import zarr
        from zarr.codecs import Crc32cCodec

        path = self._path(plane, index)
        unfinished = path.with_name(f".{path.name}-{uuid4().hex}")
        try:
            if path.exists() or embedding.nbytes > self.limit:
                return
            array = zarr.create_array(
                unfinished, shape=embedding.shape, chunks=embedding.shape, dtype="float32",
                compressors=[Crc32cCodec()], fill_value=np.nan, attributes={"plane": dict(plane)},
            )  # fmt: skip
            array[...] = embedding
            self._make_room(_bytes_in(unfinished))
            unfinished.rename(path)
        except OSError as error:
            logger.info("An embedding is not stored: %s", error)
            shutil.rmtree(unfinished, ignore_errors=True)

    def _make_room(self, wanted: int) -> None:
        """Remove what was not used for longest, a tenth more than needed, so as to do it seldom."""
        self._room = None if self._room is None else self._room - wanted
        if self._room is not None and self._room >= 0:
            return
        entries = sorted(self._entries())
        used = sum(size for _, size, _ in entries) + wanted
        goal = self.limit if used <= self.limit else self.limit * 9 // 10
        for _, size, path in entries:
            if used <= max(goal, wanted):
                break
            shutil.rmtree(path, ignore_errors=True)
            used -= size
        self._room = self.limit - used

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """When each entry was last used, its bytes, and where it is."""
        for path in self.folder.glob("*/*"):
            try:
                used = path.stat().st_mtime
                size = _bytes_in(path)
            except OSError:  # another process has removed it
                continue
            if path.name.startswith("."):
                if time.time() - used < _STALE_S:
                    continue
                used = 0.0
            yield used, size, path


def _values(path: Path, plane: Identity) -> NDArray[np.float32]:
    """The values of an entry, an array of one chunk that is not compressed.

    zarr would hand the description, the bytes and the checksum from one of its threads to another,
    and each of them waits for its turn while those of torch hold the processor.

    Raises
    ------
    OSError, ValueError, LookupError, TypeError, AttributeError
        If it is damaged, or of another plane.
    """
    from google_crc32c import value

    described = json.loads((path / "zarr.json").read_bytes())
    shape = tuple(described["shape"])
    if described["attributes"]["plane"] != dict(plane) or described["codecs"] != _CODECS:
        raise ValueError("another plane, or stored in another format")
    held = np.fromfile(path.joinpath("c", *"0" * len(shape)), np.uint8)
    if held[-4:].tobytes() != value(held[:-4]).to_bytes(4, "little"):
        raise ValueError("the checksum is another")
    values: NDArray[np.float32] = held[:-4].view("<f4").reshape(shape)
    return values


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
