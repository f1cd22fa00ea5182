"""Writing a file so that it is complete, or what was there before stays."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from napari_medvlm.data.errors import CannotSave

NAME_BYTES = 255
"""The longest file name, in bytes, that common file systems take."""


def write_atomically(
    path: Path, write: Callable[[Path], object], check: Callable[[Path], object] | None = None
) -> None:
    """Write a file under a temporary name, bring it to the disk, and rename it.

    Parameters
    ----------
    write
        Writes the file of the name that it is given, which has the endings of `path`.
    check
        Reads that file back, and raises an `OSError` if it is not what was to be written; for
        libraries that do not report a full disk.

    Raises
    ------
    CannotSave
        If the folder cannot be written to or is full; an earlier file of that name is unchanged.
    """
    temporary = temporary_path(path)
    try:
        write(temporary)
        _flush(temporary)
        if check is not None:
            check(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise cannot_save(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes with `write_atomically`."""
    write_atomically(Path(path).expanduser(), lambda temporary: temporary.write_bytes(content))


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, its line ends unchanged, with `write_atomically`."""
    write_bytes(path, text.encode())


def temporary_path(path: Path) -> Path:
    """A hidden name next to a file, of this thread, with the file's endings.

    It is shortened at its start to `NAME_BYTES`.
    """
    prefix = f".{os.getpid()}-{threading.get_native_id()}."
    tail = path.name.encode()[-(NAME_BYTES - len(prefix)) :].decode(errors="ignore")
    return path.with_name(prefix + tail)


def cannot_save(path: Path, error: Exception) -> CannotSave:
    """Why a file could not be written, and what to do about it."""
    remedy = "Choose a folder that you may write to, with space left. Nothing is lost."
    if getattr(error, "errno", None) == errno.ENAMETOOLONG:
        return CannotSave(
            f"{path.name[:40]}… could not be written: its name is too long.",
            f"Choose a name of at most {NAME_BYTES} bytes. Nothing is lost.",
        )
    if not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    else:
        lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
    return CannotSave(f"{path.name} could not be written: {reason}.", remedy)


def _flush(path: Path) -> None:
    """Bring a file to the disk: some file systems report only then that they are full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
