"""Progress bars, errors and results in the terminal."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

import typer

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.data.text import quantity

FAILED = 1
"""Exit status of a command that failed, or of a check that found a difference."""
NOT_FOUND = 3
"""Exit status if nothing was found, or a question was not answered."""
_quiet = ContextVar("quiet", default=False)
_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


@contextmanager
def quiet_output(quiet: bool) -> Iterator[None]:
    """Print no notes and no progress within, if ``quiet``."""
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)


@contextmanager
def json_alone(as_json: bool) -> Iterator[None]:
    """Leave standard output to `print_result` within, if ``as_json``.

    What a model prints, in Python or from a library in another language, goes to standard error.
    """
    if not as_json:
        yield
        return
    with ExitStack() as stack:
        results: TextIO = sys.stdout
        if results is sys.__stdout__ and _descriptor(results) == 1 and _descriptor(sys.stderr) == 2:
            results.flush()
            standard_output = os.dup(1)
            stack.callback(os.close, standard_output)
            stack.callback(os.dup2, standard_output, 1)
            stack.callback(results.flush)
            results = stack.enter_context(
                open(standard_output, "w", encoding=results.encoding, closefd=False)
            )
            os.dup2(2, 1)
        token = _results.set(results)
        stack.callback(_results.reset, token)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield


def _descriptor(stream: TextIO) -> int | None:
    """The file descriptor of a stream, if it has one."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def print_note(text: str) -> None:
    """Print a line to standard error, unless the output is quiet."""
    if not _quiet.get():
        typer.echo(printable(text), err=True)


@contextmanager
def interruptible_progress() -> Iterator[Progress]:
    """Show a progress bar; Ctrl-C raises `Cancelled` at the next progress report."""
    from rich import progress as bars
    from rich.console import Console
    from rich.markup import escape

    stopped = threading.Event()
    description = bars.TextColumn("{task.description}")
    columns = (bars.BarColumn(), description, bars.TimeRemainingColumn())
    previous_handler = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        with bars.Progress(*columns, console=Console(stderr=True), disable=_quiet.get()) as bar:
            task = bar.add_task("", total=1.0)

            def progress(fraction: float, message: str = "") -> None:
                if stopped.is_set():
                    raise Cancelled
                bar.update(task, completed=fraction, description=escape(printable(message)))

            try:
                yield progress
            except BaseException:  # the message that follows stands alone
                bar.update(task, visible=False)
                raise
    finally:
        signal.signal(signal.SIGINT, previous_handler)


@contextmanager
def report_errors() -> Iterator[None]:
    """Print a `MedVLMError` with its hint and exit with status `FAILED`."""
    try:
        yield
    except MedVLMError as error:
        typer.secho(printable(error.message), fg="red", err=True)
        if error.hint:
            typer.echo(printable(error.hint), err=True)
        raise typer.Exit(FAILED) from None


def write_all(*writes: Callable[[], object]) -> None:
    """Write all files, also if one cannot be written: its error is raised after the others."""
    errors = []
    for write in writes:
        try:
            write()
        except MedVLMError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def print_result(summary: dict[str, Any], as_json: bool, text: Callable[[], str]) -> None:
    """Print a result as text, or as one JSON object."""
    stream = _results.get() or sys.stdout
    stream.write((json.dumps(_plain(summary)) if as_json else printable(text())) + "\n")


def printable(text: str) -> str:
    """A text for the terminal: line breaks and tabs stay, other control characters are escaped."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


def _plain(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


STOPPED = 130
"""Exit status of a program ended by Ctrl-C, as shells report it."""


@contextmanager
def progress_bar(out: Path) -> Iterator[Progress]:
    """Show a progress bar of a run, print errors, and stop at once on Ctrl-C.

    Files of a run are written atomically, so it can be interrupted at any moment.

    Parameters
    ----------
    out
        Folder of the run.
    """
    with report_errors():
        try:
            with interruptible_progress() as progress:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                yield progress
        except Cancelled as stopped:
            _exit_stopped(stopped.message)
        except KeyboardInterrupt:  # between two cases
            done = len(list((out / "cases").glob("[!.]*.json")))
            _exit_stopped(
                f"Stopped with {quantity(done, 'case')} done; run the same command again to resume."
            )


def _exit_stopped(message: str) -> None:
    typer.echo(printable(message), err=True)
    raise typer.Exit(STOPPED) from None
