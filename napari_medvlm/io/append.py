"""Lines at the end of a file: written as a whole or not at all, forced onto the disk, cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from napari_medvlm.data.atomic_write import temporary_path


def append_whole(path: Path, data: bytes) -> None:
    """Append all of the data or, if that fails, nothing; a new file is private."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600), "ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(end)
            raise


def sync(path: Path) -> str:
    """Force a file onto the disk; why that failed, or an empty text."""
    try:
        with open(path, "ab", buffering=0) as file:
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def cut_end(path: Path, size: int) -> None:
    """Cut bytes off the end of a file."""
    os.truncate(path, max(path.stat().st_size - size, 0))


def replace_first_line(path: Path, line: bytes) -> None:
    """Replace the first line of a file by another one.

    The file is replaced by a complete one that is on the disk: a crash leaves either.
    """
    lines = path.read_bytes().partition(b"\n")[2]
    temporary = temporary_path(path)
    try:
        append_whole(temporary, line + lines)
        if reason := sync(temporary):
            raise OSError(errno.EIO, reason)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def cut_torn_line(path: Path) -> None:
    """Drop a last line that was cut off by a crash, so that the next record begins a line."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
