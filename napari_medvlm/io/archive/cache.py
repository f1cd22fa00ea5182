"""A size-limited cache of series from a PACS on this computer."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_medvlm.settings.paths import home

LIMIT_BYTES = 20_000_000_000


class Cache:
    """A folder for each series, the longest unused given up first.

    What was asked for since the program started is never given up: it may be open.

    Parameters
    ----------
    limit_bytes
        How much may be kept.
    """

    _used: set[Path] = set()

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root = home() / "pacs"
        self.limit_bytes = limit_bytes

    def folder(self, *names: str) -> Path:
        """The folder of the series with these names, which need not exist yet."""
        folder = self.root / _hash("\n".join(names))
        self._used.add(folder)
        return folder

    def has(self, folder: Path, instances: set[str]) -> bool:
        """Whether a folder holds just these instances; it counts as used now."""
        if not folder.is_dir() or {p.name for p in folder.iterdir()} != set(
            map(file_of, instances)
        ):
            return False
        os.utime(folder)
        return True

    @contextmanager
    def filling(self, folder: Path) -> Iterator[Path]:
        """A folder to write to, which takes the place of ``folder`` if nothing goes wrong."""
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True, mode=0o700)
        try:
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._shrink()

    def clear(self) -> None:
        """Give up all of it but what may be open."""
        self._shrink(0)

    def _shrink(self, limit: int | None = None) -> None:
        folders = [p for p in self.root.glob("*") if p.is_dir()]
        sizes = {p: sum(f.stat().st_size for f in p.iterdir()) for p in folders}
        total = sum(sizes.values())
        for folder in sorted(folders, key=lambda p: p.stat().st_mtime):
            if total <= (self.limit_bytes if limit is None else limit):
                return
            if folder not in self._used:
                shutil.rmtree(folder, ignore_errors=True)
                total -= sizes[folder]


def file_of(instance: str) -> str:
    """The name of the file of an instance: never what a server may have written there."""
    return f"{_hash(instance)}.dcm"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
