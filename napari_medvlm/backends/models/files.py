"""The files of a model on this computer: which they are, how large, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import BackendUnavailable

CHUNK_BYTES = 1 << 22


class Tally:
    """Tells how many of a number of bytes were read.

    Parameters
    ----------
    total
        All bytes.
    progress
        Is told after each piece; what it raises stops the reading.
    """

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._progress = progress

    def __call__(self, count: int) -> None:
        """So many more bytes were read."""
        self._done += count
        self._progress(min(self._done / self._total, 1.0), "Reading the files")


def files_of(path: Path) -> dict[str, Path]:
    """The files of a model by their path in its folder; hidden files and caches do not count."""
    if path.is_file():
        return {path.name: path}
    return dict(_walk(path))


def size_of(path: Path) -> int:
    """How many bytes a model takes."""
    return sum(file.stat().st_size for file in files_of(path).values())


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
            f"{path} cannot be read: {error}.", "See that its files are there and may be read."
        ) from error


def digest(file: Path, made: hashlib._Hash, tell: Callable[[int], None]) -> str:
    """The hash of a file, read in pieces."""
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            made.update(chunk)
            tell(len(chunk))
    return made.hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not hidden:
            yield inside.as_posix(), file
