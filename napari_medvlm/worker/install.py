"""Create an environment for a backend with venv and pip, and list it in the file."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from napari_medvlm.backends import registry
from napari_medvlm.backends.registry import EXTRAS
from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, CannotSave, SettingsError
from napari_medvlm.settings.paths import home
from napari_medvlm.worker.environments import PYTHON_PATHS, Environments, requirement
from napari_medvlm.worker.process import WINDOWS, variables

logger = logging.getLogger(__name__)

POLL_S = 0.05
OnLine = Callable[[str], None]
IsCancelled = Callable[[], bool]


def folder_for(backend: str) -> Path:
    """Folder of a backend's environment; backends with the same extra share it.

    Raises
    ------
    BackendUnavailable
        If it is not known what the backend needs, because it is another package's.
    """
    if backend not in EXTRAS:
        raise BackendUnavailable(
            f"The requirements of {backend} are unknown.",
            "Create an environment as its package describes, and list it in environments.yaml.",
        )
    return home() / "environments" / EXTRAS[backend]


def install(backend: str, on_line: OnLine, is_cancelled: IsCancelled) -> Path:
    """Make an environment for a backend, and have it run there from the next request on.

    Parameters
    ----------
    on_line
        Called with each line that venv and pip write, from another thread.
    is_cancelled
        Returns whether to stop; called many times per second.

    Returns
    -------
    folder
        The environment's.

    Raises
    ------
    BackendUnavailable
        If a step fails; all files are removed.
    SettingsError
        If environments.yaml cannot be read, or what was installed does not work.
    Cancelled
        If it was cancelled; all files are removed.
    """
    folder, served = folder_for(backend), _served(backend)
    Environments.load()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        _step([sys.executable, "-m", "venv", str(folder)], on_line, is_cancelled)
        python = next(str(folder / p) for p in PYTHON_PATHS if (folder / p).is_file())
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        _step([*pip, requirement(backend)], on_line, is_cancelled)
        on_line("Checking")
        Environments.of(served, folder).check(backend, is_cancelled)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    name(served, folder)
    return folder


def name(backends: Iterable[str], folder: Path) -> None:
    """Write into environments.yaml that backends run in an environment; other lines stay.

    Raises
    ------
    SettingsError
        If the file cannot be read, or written.
    """
    environments = Environments.load()
    path = environments.path
    entries = [f"{backend}: {json.dumps(str(folder), ensure_ascii=False)}" for backend in backends]
    old = {f"{backend}:" for backend in backends}
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    others = [line for line in lines if line.split(" ")[0] not in old]
    with contextlib.suppress(OSError):  # then the file cannot be written, which is reported
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_text(path, "\n".join([*others, *entries, ""]))
    except CannotSave as error:
        remedy = f"Add these lines to {path} yourself: {'; '.join(entries)}"
        raise SettingsError(error.message, remedy) from error


def _served(backend: str) -> tuple[str, ...]:
    """The backend, and all of its extra that cannot run in this Python and have no other."""
    named = Environments.load().entries
    extra = EXTRAS[backend]
    alike = [n for n in registry.names() if EXTRAS.get(n) == extra and n != backend]
    return (backend, *(n for n in alike if n not in named and registry.missing(n)))


def _step(command: Sequence[str], on_line: OnLine, is_cancelled: IsCancelled) -> None:
    """Run a program to its end and report its output lines."""
    logger.info("Running %s", command)
    last = [""]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**variables(command[0]), "PYTHONUNBUFFERED": "1"},
        creationflags=WINDOWS,
        start_new_session=os.name != "nt",
    )

    def read() -> None:
        with process.stdout as output:  # type: ignore[union-attr]  # PIPE
            for line in map(str.strip, output):
                if line:
                    last[0] = line
                    on_line(line)

    reader = threading.Thread(target=read, name="medvlm-install", daemon=True)
    reader.start()
    try:
        _await(process, is_cancelled)
    finally:
        _end(process)
        reader.join(timeout=1.0)
    if process.returncode != 0:
        raise BackendUnavailable(
            f"The installation failed: {last[0] or process.returncode}",
            "See the output above; check the network and the proxy. All files were removed.",
        )


def _await(process: subprocess.Popen[str], is_cancelled: IsCancelled) -> None:
    while process.poll() is None:
        if is_cancelled():
            raise Cancelled
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def _end(process: subprocess.Popen[str]) -> None:
    """End it and all that it has started."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
