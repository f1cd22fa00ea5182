"""The command line: the same sessions without a window."""

from __future__ import annotations

import typer

from napari_medvlm.cli import (
    backends,
    cases,
    clicks,
    deidentifying,
    evaluate,
    measuring,
    models,
    preparing,
    words,
)

app = typer.Typer(
    help="Ask questions of medical images, by click and by word. Not a medical device.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)
COMMANDS = (
    clicks.segment, clicks.replay, preparing.prepare,
    measuring.measure, deidentifying.deidentify,
    words.ground, words.ask,
    backends.backends, cases.cases,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
