"""One worker process, as its owner sees it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from typing import Any

from napari_medvlm.backends.models import offline
from napari_medvlm.data.errors import LONGEST, BackendFailed, WorkerCrashed
from napari_medvlm.data.text import shown_text

logger = logging.getLogger(__name__)

MAX_LINES = 50
REPORTED_LINES = 3
WINDOWS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(
    subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0
)
"""No console, and the window goes first; nothing elsewhere."""
PYTHON_VARIABLES = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
"""Variables that would lead another interpreter to the libraries of this one."""


SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Modules are not imported from the current folder: it may hold images and anything else."""


def variables(python: str) -> dict[str, str]:
    """The environment variables for a process of an interpreter."""
    dropped = () if python == sys.executable else PYTHON_VARIABLES
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**environment, **offline.variables(), **SAFE_PATH}


class WorkerProcess:
    """A process that runs `worker.host`, and the connection to it.

    Parameters
    ----------
    python
        The interpreter that it runs in.
    more_variables
        Further environment variables.

    Raises
    ------
    WorkerCrashed
        If it cannot be started, or ends before it has connected.
    """

    def __init__(self, python: str, more_variables: Mapping[str, str] | None = None) -> None:
        key = secrets.token_bytes(32)
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._sending = threading.Lock()
        with Listener(authkey=key) as listener:
            self._process = _start(python, str(listener.address), more_variables or {})
            self._reader = threading.Thread(target=self._read, name="medvlm-output", daemon=True)
            self._reader.start()
            with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:  # type: ignore[union-attr]  # PIPE
                stdin.write(key.hex() + "\n")
            self._connection = self._accept(listener)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, message: object) -> None:
        """Send a message; `OSError` if it is gone."""
        with self._sending:
            self._connection.send(message)

    def receive(self, timeout_s: float) -> Any:
        """The next message, or `None` if none comes in time; `EOFError` if it is gone.

        Raises
        ------
        BackendFailed
            If the message cannot be unpickled here. The process is ended.
        """
        try:
            return self._connection.recv() if self._connection.poll(timeout_s) else None
        except OSError as error:
            raise EOFError from error
        except EOFError:
            raise
        except Exception as error:  # of any class that the message names
            self.kill()
            raise BackendFailed(
                f"The answer of the backend cannot be read: {type(error).__name__}.",
                "Prompts are not lost. Update the backend, or choose another one.",
            ) from error

    def crash(self) -> WorkerCrashed:
        """The error that describes how the process ended."""
        code = self._process.wait()
        self._reader.join(timeout=1.0)
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = " / ".join(line for line in list(self._lines)[-REPORTED_LINES:] if line)
        return WorkerCrashed(
            f"The worker process ended during a request ({how})."
            + (f" Last output: {last}" if last else ""),
            "Prompts are not lost, and the next request starts a new worker.",
            code,
        )

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def close(self) -> None:
        """Let it end by itself, within a second."""
        self._connection.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=1.0)

    def _accept(self, listener: Listener) -> Connection:
        """Wait for it to connect, but no longer than it lives."""
        accepted: list[Connection] = []

        def wait() -> None:
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                accepted.append(listener.accept())

        waiter = threading.Thread(target=wait, name="medvlm-accept", daemon=True)
        waiter.start()
        while waiter.is_alive() and self.alive:
            waiter.join(timeout=0.02)
        if not accepted:
            raise self.crash()
        return accepted[0]

    def _read(self) -> None:
        with self._process.stdout as output:  # type: ignore[union-attr]  # PIPE
            for line in output:
                self._lines.append(line.rstrip())
                logger.info("worker %d: %s", self.pid, shown_text(line.rstrip(), LONGEST))


def _start(python: str, address: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [python, "-m", "napari_medvlm.worker.host", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**variables(python), "PYTHONUNBUFFERED": "1", **more},
            creationflags=WINDOWS,
        )
    except OSError as error:
        raise WorkerCrashed(
            f"The worker process cannot be started: {error}.", f"Check that {python} works."
        ) from error
