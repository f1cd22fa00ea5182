"""The command line: the sessions of the docks without a window."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_medvlm.cli import (
    backends,
    cases,
    data,
    deidentify,
    evaluate,
    follow,
    measure,
    models,
    precompute,
    register,
    replay,
    segment,
)
from napari_medvlm.cli.app import EXIT_STATUSES, App
from napari_medvlm.cli.language.ask import ask
from napari_medvlm.cli.language.classify import classify
from napari_medvlm.cli.language.ground import ground

app = App(
    "Ask questions of medical images, with clicks and text. Not a medical device.\n\n"
    + EXIT_STATUSES
)


def _print_version(wanted: bool) -> None:
    import napari_medvlm

    if wanted:
        typer.echo(f"napari-medvlm {napari_medvlm.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options before a command."""


COMMANDS = (
    segment.segment, replay.replay, precompute.prepare,
    measure.measure, follow.follow, register.register, deidentify.deidentify,
    ground, ask, classify,
    backends.backends, cases.cases,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
