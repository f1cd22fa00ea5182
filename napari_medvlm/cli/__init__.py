"""The command line: the sessions of the docks without a window."""

from __future__ import annotations

import typer

from napari_medvlm.cli import (
    backends,
    cases,
    deidentify,
    evaluate,
    follow,
    ground_ask,
    measure,
    models,
    precompute,
    register,
    segment,
)

app = typer.Typer(
    help="Ask questions of medical images, with clicks and text. Not a medical device.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)
COMMANDS = (
    segment.segment, segment.replay, precompute.prepare,
    measure.measure, follow.follow, register.register, deidentify.deidentify,
    ground_ask.ground, ground_ask.ask,
    backends.backends, cases.cases,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
