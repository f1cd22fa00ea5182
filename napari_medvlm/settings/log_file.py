"""The log: the file to which warnings and tracebacks of this package are written."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

from napari_medvlm.settings.paths import home, make_private, private_folder
from napari_medvlm.settings.privacy import for_log

PACKAGE = "napari_medvlm"
LIMIT_BYTES = 1_000_000
"""From this size on, the file is renamed to ``.old``."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_path() -> Path:
    """The path of the log, in the data folder."""
    return home() / "napari-medvlm.log"


def write_log(path: Path | None = None, level: int = logging.INFO) -> logging.Handler:
    """Append the messages of this package to a file from now on.

    Parameters
    ----------
    path
        The file; `None`: `log_path`.
    level
        The least severe messages that are written.

    Returns
    -------
    The handler, which the caller may remove.
    """
    handler = LogFile(path, level)
    handler.setFormatter(_WithoutMessages(FORMAT) if path is None else logging.Formatter(FORMAT))
    logging.getLogger(PACKAGE).addHandler(handler)
    return handler


def ensure_log() -> None:
    """Write warnings to `log_path` from now on, once in a process."""
    logger = logging.getLogger(PACKAGE)
    if not any(isinstance(h, LogFile) and h.path is None for h in logger.handlers):
        write_log(level=logging.WARNING)


class _WithoutMessages(logging.Formatter):
    """Writes tracebacks without the texts of errors, which may name files and patients."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """Format a traceback, see `privacy.for_log`."""
        return for_log(ei[1])


class LogFile(logging.Handler):
    """Appends messages to a file that this user alone may read.

    The file is opened for each message: several processes may write to it. Messages are lost where
    it cannot be written.

    Parameters
    ----------
    path
        The file; `None`: `log_path`.
    level
        The least severe messages that are written.
    """

    def __init__(self, path: Path | None, level: int) -> None:
        super().__init__(level)
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Append a message."""
        path = self.path or log_path()
        with contextlib.suppress(OSError):
            if self.path is None:
                private_folder(path.parent)
                if path.exists() and path.stat().st_size > LIMIT_BYTES:
                    path.replace(path.with_suffix(".log.old"))
            with path.open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
            if self.path is None:
                make_private(path)
