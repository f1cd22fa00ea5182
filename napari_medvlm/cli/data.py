"""``data``: show the data folder and delete parts of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_medvlm.cli.app import App
from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors

app = App("Show what is stored in the data folder, and delete parts of it.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the data folder, its parts and their sizes.

    The environment variable NAPARI_MEDVLM_HOME sets another folder. Downloaded models are stored by
    the Hugging Face library: see 'napari-medvlm models list'.
    """
    from napari_medvlm.settings.log_file import log_path
    from napari_medvlm.settings.paths import home
    from napari_medvlm.settings.stored_data import stored_parts

    parts = stored_parts()
    summary: dict[str, Any] = {
        "folder": str(home()),
        "log": str(log_path()),
        "parts": {part.name: {"bytes": part.bytes, "what": part.what} for part in parts},
    }
    lines = [f"{part.name}: {_size(part.bytes)}; {part.what}" for part in parts]
    print_result(summary, as_json, lambda: "\n".join([str(home()), *lines]))


@app.command()
def clear(
    part: Annotated[
        list[str],
        typer.Argument(help="Parts, as in 'napari-medvlm data show'.", show_default=False),
    ] = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="Delete all parts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete parts of the data folder. Your images, masks and saved sessions are elsewhere."""
    from napari_medvlm.settings.paths import home
    from napari_medvlm.settings.stored_data import PARTS
    from napari_medvlm.settings.stored_data import clear as delete

    names = list(PARTS) if everything else part
    if not names:
        raise typer.BadParameter(f"Name parts, or give --all. The parts: {', '.join(PARTS)}.")
    with report_errors():
        if not yes:
            typer.confirm(f"Delete {', '.join(names)} in {home()}?", abort=True, err=as_json)
        deleted = {p.name: p.bytes for p in delete(names)}
    lines = [f"{name}: {_size(size)} deleted" for name, size in deleted.items()]
    print_result({"deleted": deleted}, as_json, lambda: "\n".join(lines))


def _size(number: int) -> str:
    from napari_medvlm.backends.models.download import megabytes

    return megabytes(number)
