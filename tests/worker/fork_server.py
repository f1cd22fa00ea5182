"""Workers of tests as copies of one process that has imported the libraries of models already.

A worker imports torch and transformers for several seconds of processor time, and the tests start
some hundred. `multiprocessing`'s fork server imports them once. A copy runs the same `host.main`
with its own variables, standard input and output. The tests in `tests/worker` start interpreters,
as the program does.
"""

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path

from napari_medvlm.worker import process

AVAILABLE = "forkserver" in multiprocessing.get_all_start_methods()
PRELOADED = ("tests.worker.preloaded",)
"""The module whose import imports the libraries."""


def context() -> BaseContext:
    """What starts a copy; an interpreter where there is no fork."""
    if not AVAILABLE:
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([*PRELOADED])
    return forking


class ForkedProcess:
    """The part of `subprocess.Popen` that the program uses of its worker processes.

    Parameters
    ----------
    main
        Runs in the new process.
    arguments
        For `main`; they can be pickled.
    environment
        All environment variables of the process.
    """

    def __init__(
        self, main: Callable[..., None], arguments: Sequence[str], environment: dict[str, str]
    ) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ends = Connection(theirs_in, writable=False), Connection(theirs_out, readable=False)
        everything = (main, arguments, environment, os.getcwd(), *ends)
        self._process = context().Process(target=run_forked, args=everything, daemon=True)
        self._process.start()
        self._asking = threading.Lock()
        for end in ends:
            end.close()
        self.stdin = os.fdopen(ours_in, "w")
        self.stdout = os.fdopen(ours_out, errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("worker", timeout)
        return code

    def kill(self) -> None:
        self._process.kill()


def run_forked(
    main: Callable[..., None],
    arguments: Sequence[str],
    environment: dict[str, str],
    folder: str,
    standard_input: Connection,
    output: Connection,
) -> None:
    """Run `main` in the fork server's copy, as an interpreter would."""
    multiprocessing.current_process().daemon = False  # else it may start no process
    os.dup2(standard_input.fileno(), 0)
    os.dup2(output.fileno(), 1)
    standard_input.close()
    output.close()
    sys.stdin = open(0)  # noqa: SIM115  # for as long as the process runs
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    added = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [*filter(None, added), *(x for x in sys.path if x and x not in added)]
    from huggingface_hub import constants

    from napari_medvlm.backends.models.offline import is_offline

    constants.HF_HUB_OFFLINE = is_offline()
    main(*arguments)


def run_host(address: str) -> None:
    """Become a worker of models."""
    os.dup2(1, 2)
    sys.argv = ["host", address]
    from napari_medvlm.worker import host

    host.NICE = 0  # a test does nothing but wait for it
    host.main()


def run_evaluation() -> None:
    """Become a worker of an evaluation."""
    os.setsid()
    from napari_medvlm.evaluation.runs import worker_main

    worker_main.main()


def start_evaluation(environment: dict[str, str]) -> ForkedProcess:
    """Start a worker as `napari_medvlm.evaluation.runs.workers` does."""
    return ForkedProcess(run_evaluation, (), environment)


def run(name: str, *arguments: object, **options: object) -> None:
    """Run a function in a copy, for what needs torch in tests whose process may not import it.

    Parameters
    ----------
    name
        Its module and its name, ``module:function``.
    *arguments, **options
        Its own; they are pickled.
    """
    call = name, dict(os.environ), arguments, options
    copy = context().Process(target=call_function, args=call)
    copy.start()
    copy.join()
    assert copy.exitcode == 0, f"{name} failed; its error is on standard error."
    copy.close()


def run_command(*arguments: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a copy, whose workers are copies too.

    Parameters
    ----------
    *arguments
        Of ``napari-medvlm``.
    folder
        The current folder of the copy, and where its output is written meanwhile.

    Returns
    -------
    subprocess.CompletedProcess
        As of `subprocess.run` with ``capture_output`` and ``text``.
    """
    if not AVAILABLE:
        command = [sys.executable, "-m", "napari_medvlm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    with tempfile.TemporaryDirectory() as outputs:
        written = Path(outputs, "stdout"), Path(outputs, "stderr")
        call = arguments, folder, dict(os.environ), *map(str, written)
        copy = context().Process(target=call_command, args=call)
        copy.start()
        copy.join()
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in written)
    code = copy.exitcode
    copy.close()
    return subprocess.CompletedProcess([*arguments], code or 0, out, err)


def call_command(
    arguments: tuple[str, ...],
    folder: str,
    environment: dict[str, str],
    output: str,
    errors: str,
) -> None:
    """Become the command line."""
    for number, path in ((1, output), (2, errors)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", write_through=True)
        for number in (1, 2)
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    process._start = start
    sys.argv = ["napari-medvlm", *arguments]
    from napari_medvlm.cli import app

    app()


def call_function(
    name: str,
    environment: dict[str, str],
    arguments: tuple[object, ...],
    options: dict[str, object],
) -> None:
    """Call a function by its name, with the variables of another process."""
    os.environ.clear()
    os.environ.update(environment)
    module, _, function = name.partition(":")
    getattr(import_module(module), function)(*arguments, **options)


def start(python: str, address: str, more: dict[str, str]) -> object:
    """Start a worker as `napari_medvlm.worker.process` does, by a fork where that is the same."""
    if python != sys.executable:
        return start_interpreter(python, address, more)
    return ForkedProcess(run_host, (address,), {**process.variables(python), **more})


start_interpreter = process._start
