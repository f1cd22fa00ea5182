"""What a run of an evaluation prints while it goes on, and when it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from napari_medvlm.backends.base import Progress
from napari_medvlm.cli.telling import shown, told
from napari_medvlm.data.errors import Cancelled

STOPPED = 130
"""What shells know as the exit status of a program that Ctrl-C ended."""


@contextmanager
def going_on(out: Path) -> Iterator[Progress]:
    """A progress bar, errors in a line each, and Ctrl-C that tells how to go on.

    What is on disk is whole at any moment, so Ctrl-C stops at once, also where no progress is told.

    Parameters
    ----------
    out
        The run's folder.
    """
    with told():
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
