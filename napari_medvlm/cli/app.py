"""What all commands share: their common options, expanded paths and exit statuses."""

from __future__ import annotations

import inspect
import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from napari_medvlm.cli.output import json_alone, printable, quiet_output

EXIT_STATUSES = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found or not answered."
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and errors only.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Print log messages; -vv: all of them.")
]
Log = Annotated[Path | None, typer.Option("--log", help="Append log messages to this file.")]

USAGE_ERROR: type[Any] = typer.BadParameter.__bases__[0]
"""Wrong usage: a class of click, of which newer versions of Typer have a copy."""


class Group(TyperGroup):
    """A group of commands whose help shows no type of flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, flags without a type."""
        return _without_types_of_flags(super().get_params(ctx))


class Command(TyperCommand):
    """A command that says how an index is written if its numbers stand apart."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, flags without a type."""
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; an index such as ``47 58 49`` is an error that shows ``47,58,49``."""
        numbers = _separate_index(args)  # before the parser empties the list
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            if numbers:
                error.message += f". Write an index with commas and no blanks: {numbers}."
            raise


def _without_types_of_flags(params: list[Any]) -> list[Any]:
    """Set the name of the value, which help shows, to nothing where an option takes no value."""
    for param in params:
        if getattr(param, "is_flag", False) or getattr(param, "count", False):
            param.metavar = ""
    return params


def _separate_index(args: list[str]) -> str:
    """The first three numbers in a row after ``--point`` or ``--negative``, joined by commas."""
    for at, name in enumerate(args):
        numbers = args[at + 1 : at + 4]
        if name in ("--point", "--negative") and len(numbers) == 3:
            parts = [number.strip(",") for number in numbers]
            if all(part.replace(".", "", 1).isdecimal() for part in parts):
                return ",".join(parts)
    return ""


class App(typer.Typer):
    """Commands that take ``--quiet``, ``--verbose`` and ``--log``, and expand ``~`` in paths."""

    def __init__(self, help: str) -> None:  # noqa: A002  # typer's name
        super().__init__(
            cls=Group,
            help=help,
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"]},
            pretty_exceptions_show_locals=False,
        )

    def command(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Register a function as a command with the common options."""
        kwargs.setdefault("cls", Command)
        register = super().command(*args, **kwargs)

        def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
            run = with_common_options(function)
            run.__doc__ = without_line_breaks(inspect.getdoc(function) or "")
            register(run)
            return function

        return decorated


def without_line_breaks(text: str) -> str:
    """The paragraphs of a text in one line each, which help breaks at the terminal's width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the common options after its own."""
    hints = get_type_hints(function, include_extras=True)
    common = {"quiet": (Quiet, False), "verbose": (Verbose, 0), "log": (Log, None)}

    @wraps(function)
    def run(quiet: bool = False, verbose: int = 0, log: Path | None = None, **own: Any) -> Any:
        as_json = bool(own.get("as_json"))
        with logging_to(log, verbose), quiet_output(quiet), json_alone(as_json):
            return function(**{name: expanded(value) for name, value in own.items()})

    signature = inspect.signature(function)
    own = [p.replace(annotation=hints[name]) for name, p in signature.parameters.items()]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in common.items()
    ]
    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
    del run.__wrapped__
    return run


def expanded(value: Any) -> Any:
    """Replace a leading ``~`` of paths, in lists too, by the folder of the user."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if isinstance(value, Path):
        return value.expanduser()
    if isinstance(value, str) and value.startswith("~/"):
        return str(Path(value).expanduser())
    return value


@contextmanager
def logging_to(log: Path | None, verbose: int) -> Iterator[None]:
    """Write log messages to the log of the data folder, and where the options say."""
    from napari_medvlm.settings.log_file import PACKAGE, write_log

    level = logging.DEBUG if verbose > 1 else logging.INFO
    logger = logging.getLogger(PACKAGE)
    before = logger.level, logger.propagate
    with ExitStack() as stack:
        stack.callback(setattr, logger, "propagate", before[1])
        stack.callback(logger.setLevel, before[0])
        logger.setLevel(level)
        handlers: list[logging.Handler] = [write_log(None, logging.WARNING)]
        if log is not None:
            path = log.expanduser()
            try:
                path.open("a").close()
            except OSError as error:
                raise typer.BadParameter(f"{log} cannot be written: {error}.") from None
            handlers.append(write_log(path, level))
        if verbose:
            handlers.append(_terminal_handler(level))
            logger.addHandler(handlers[-1])
        logger.propagate = False
        for handler in handlers:
            stack.callback(handler.close)
            stack.callback(logger.removeHandler, handler)
        logger.info("napari-medvlm %s, Python %s, %s", *_versions())
        yield


def _versions() -> tuple[str, str, str]:
    """The versions of this package, of Python and of the operating system."""
    import napari_medvlm

    return napari_medvlm.__version__, platform.python_version(), platform.platform()


class _Terminal(logging.Handler):
    """Prints log messages to standard error without control characters."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(printable(self.format(record)), err=True)


def _terminal_handler(level: int) -> logging.Handler:
    handler = _Terminal(level)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    return handler
