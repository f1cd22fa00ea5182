"""What a run of an evaluation prints while it goes on, and when it is stopped."""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import Cancelled, MedVLMError


@contextmanager
def shown() -> Iterator[Progress]:
    """A progress bar, and Ctrl-C that stops the download in all its threads."""
    from rich import progress as bars
    from rich.console import Console

    stopped = threading.Event()
    words = bars.TextColumn("{task.description}")
    columns = (bars.BarColumn(), words, bars.TimeRemainingColumn())
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        with bars.Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=1.0)

            def progress(fraction: float, message: str = "") -> None:
                if stopped.is_set():
                    raise Cancelled
                bar.update(task, completed=fraction, description=message)

            yield progress
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def report_errors() -> Iterator[None]:
    """Errors that a person can mend are told in one line."""
    try:
        yield
    except MedVLMError as error:
        typer.secho(error.message, fg="red", err=True)
        if error.hint:
            typer.echo(error.hint, err=True)
        raise typer.Exit(1) from None


def print_result(summary: dict[str, Any], as_json: bool, text: Callable[[], str]) -> None:
    """Print a result for a person, or as one JSON object for a program."""
    sys.stdout.write((json.dumps(_plain(summary)) if as_json else text()) + "\n")


def _plain(value: Any) -> Any:
    """With null for what is no number, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


STOPPED = 130
"""What shells know as the exit status of a program that Ctrl-C ended."""


@contextmanager
def progress_bar(out: Path) -> Iterator[Progress]:
    """A progress bar, errors in a line each, and Ctrl-C that tells how to go on.

    What is on disk is whole at any moment, so Ctrl-C stops at once, also where no progress is told.

    Parameters
    ----------
    out
        The run's folder.
    """
    with report_errors():
        try:
            with shown() as progress:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                yield progress
        except Cancelled as stopped:
            _leave(stopped.message)
        except KeyboardInterrupt:  # no case was being worked on
            done = len(list((out / "cases").glob("[!.]*.json")))
            _leave(f"Stopped with {done} case(s) done; the same command goes on with the rest.")


def _leave(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(STOPPED) from None
