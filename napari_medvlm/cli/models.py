"""``models``: those that are known, and those on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors, shown

app = typer.Typer(
    help="List, add, download, check and remove models.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[str, typer.Argument(help="As 'napari-medvlm models list' tells it.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List all models: those that were added, those downloaded, and those that could be."""
    from napari_medvlm.worker.model_status import offered

    with report_errors():
        rows = [_summary(row) for row in offered()]
    print_result({"models": rows}, as_json, lambda: "\n".join(map(_line, rows)))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Tell all that is known of a model."""
    from napari_medvlm.worker.model_status import offer_of

    with report_errors():
        summary = _summary(offer_of(name))
    print_result(summary, as_json, lambda: "\n".join(_lines(summary)))


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A file of weights, or a model's folder.")],
    backend: Annotated[str, typer.Option(help="Who runs it; see 'napari-medvlm backends'.")],
    name: Annotated[
        str, typer.Option(help="What to call it; by default as the file or folder.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Know a model by a name, which --model then takes. It stays where it is."""
    from napari_medvlm.backends.models import registry
    from napari_medvlm.worker.model_status import offer_of

    with report_errors():
        with shown() as progress:
            added = registry.add(path, backend, progress, name)
        summary = _summary(offer_of(added.name))
    print_result(summary, as_json, lambda: f"{added.name}: {added.path}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Its id on the Hugging Face hub: owner/name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a model's licence and size, ask, download it, and check what arrived.

    Only weights in safetensors and texts are fetched; nothing about your images is sent.
    """
    from napari_medvlm.backends.models import download as models_download
    from napari_medvlm.backends.models import registry

    with report_errors():
        registry.require_on_hub(name)
        offered = models_download.offer(name)
        typer.echo(f"{offered.model}\n  licence: {offered.licence}", err=as_json)
        size = f"  size: {offered.size} in {offered.files} file(s)\n  {offered.url}"
        typer.echo(size, err=as_json)
        if offered.gated:
            typer.echo("  Its terms must be accepted on its page first.", err=as_json)
        if not (yes or not offered.files or typer.confirm("Download it?", err=as_json)):
            raise typer.Exit(1)
        with shown() as progress:
            folder = registry.download(name, progress)
    summary = {"name": name, "licence": offered.licence, "path": str(folder)}
    print_result(summary, as_json, lambda: str(folder))


@app.command()
def verify(name: Name, as_json: AsJson = False) -> None:
    """Check the files of a model against their hashes; the exit status is 1 if one is wrong."""
    from napari_medvlm.backends.models import registry

    with report_errors(), shown() as progress:
        wrong = registry.verify(name, progress)
    summary = {"name": name, "whole": not wrong, "wrong": list(wrong)}
    print_result(summary, as_json, lambda: "\n".join(wrong) or f"{name} is whole.")
    if wrong:
        raise typer.Exit(1)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a model that was downloaded, or forget one that was added: its files stay."""
    from napari_medvlm.backends.models import registry

    with report_errors():
        model = registry.find(name)
        if not yes and model.state is registry.State.DOWNLOADED:
            typer.confirm(f"Delete {model.path}?", abort=True, err=as_json)
        done = registry.remove(name)
    print_result({"name": name, "done": done}, as_json, lambda: done)


@app.command()
def trust(
    path: Annotated[Path, typer.Argument(help="A file of weights, or a bundle's folder.")],
) -> None:
    """Trust a file, or the code in a folder, that may run a program, as it is now."""
    from napari_medvlm.backends.models.trust import trust as trust_file

    with report_errors():
        trust_file(path)
    typer.echo(f"{path} is trusted as long as it does not change.")


def _summary(row: Any) -> dict[str, Any]:
    """A row for programs."""
    model, about = row.model, row.model.about
    return {
        "name": model.name,
        "title": about.title,
        "tasks": sorted(row.tasks),
        "backend": about.backend,
        "obstacle": row.obstacle,
        "state": row.state,
        "path": None if model.path is None else str(model.path),
        "bytes": model.bytes,
        "memory_mib": about.memory_mib or None,
        "code_licence": about.code_licence,
        "weights_licence": about.weights_licence,
        "use": model.licence_in_words,
        "page": model.page,
        "notes": about.notes,
    }


def _line(row: dict[str, Any]) -> str:
    parts = [row["backend"], row["use"], _memory(row), row["state"], _size(row)]
    return f"{row['name']}: " + "; ".join(part for part in parts if part)


def _lines(row: dict[str, Any]) -> list[str]:
    fields = {
        "does": ", ".join(row["tasks"]),
        "backend": row["backend"],
        "weights": f"{row['use']} ({row['weights_licence']})",
        "code": row["code_licence"],
        "memory": _memory(row) or "not known",
        "state": ", ".join(part for part in (row["state"], _size(row)) if part),
        "path": row["path"],
        "page": row["page"],
        "notes": row["notes"],
        "obstacle": row["obstacle"],
    }
    title = row["title"] if row["title"] == row["name"] else f"{row['name']} ({row['title']})"
    return [title, *(f"  {key}: {value}" for key, value in fields.items() if value)]


def _memory(row: dict[str, Any]) -> str:
    from napari_medvlm.backends.memory.free import gigabytes

    return f"needs {gigabytes(row['memory_mib'])}" if row["memory_mib"] else ""


def _size(row: dict[str, Any]) -> str:
    from napari_medvlm.backends.models.download import megabytes

    return megabytes(row["bytes"]) if row["bytes"] else ""
