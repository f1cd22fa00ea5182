"""The files of a model on this computer: which they are, how large, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import BackendUnavailable

CHUNK_BYTES = 1 << 22


def no_progress(fraction: float, message: str = "") -> None:
    """Ignore the progress."""


Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """Modification time in nanoseconds, size and inode of a file; `None` if there is none.

    Two equal stamps mean that the file has not changed between them.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Tally:
    """Report how many of a number of bytes were read.

    Parameters
    ----------
    total
        Number of all bytes.
    progress
        Called after each piece; an exception that it raises stops the reading.
    """

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._progress = progress

    def __call__(self, count: int) -> None:
        """Count further bytes."""
        self._done += count
        self._progress(min(self._done / self._total, 1.0), "Reading the files")


def files_of(path: Path) -> dict[str, Path]:
    """The files of a model by their path in its folder, without hidden files and caches."""
    if path.is_file():
        return {path.name: path}
    return dict(_walk(path))


def size_of(path: Path) -> int:
    """Size of a model in bytes."""
    return sum(file.stat().st_size for file in files_of(path).values())


def weights_digest(path: Path, progress: Progress = no_progress) -> str:
    """SHA-256 of a model's file, or of the files of its folder with their names.

    For a folder it is the hash of one line ``NAME SHA256`` for each file, sorted by name and ended
    by a line feed, as ``sha256sum`` would hash such a list. Hidden files and caches do not count.

    Raises
    ------
    BackendUnavailable
        If a file cannot be read.
    """
    hexdigests = hashes(path, progress)
    return next(iter(hexdigests.values())) if path.is_file() else digest_of_list(hexdigests)


def digest_of_list(hexdigests: Mapping[str, str]) -> str:
    """SHA-256 of a folder from the SHA-256 of its files by their names; see `weights_digest`."""
    lines = "".join(f"{name} {hexdigest}\n" for name, hexdigest in sorted(hexdigests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def hashes(path: Path, progress: Progress) -> dict[str, str]:
    """The SHA-256 of each file, by its path in the folder.

    Raises
    ------
    BackendUnavailable
        If a file cannot be read.
    """
    try:
        files = files_of(path)
        tally = Tally(sum(file.stat().st_size for file in files.values()), progress)
        return {name: digest(file, hashlib.sha256(), tally) for name, file in files.items()}
    except OSError as error:
        raise BackendUnavailable(
            f"{path} cannot be read: {error}.",
            "Check that its files exist and that you may read them.",
        ) from error


def digest(file: Path, hasher: hashlib._Hash, on_bytes: Callable[[int], None]) -> str:
    """The hash of a file, read in pieces; ``on_bytes`` is called with the length of each piece."""
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            hasher.update(chunk)
            on_bytes(len(chunk))
    return hasher.hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not hidden:
            yield inside.as_posix(), file
