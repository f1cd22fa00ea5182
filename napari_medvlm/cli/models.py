"""``models``: list, add, download, verify and remove models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.app import App
from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import interruptible_progress, print_result, printable, report_errors
from napari_medvlm.data.text import quantity

app = App("List, add, download, verify and remove models.")
Name = Annotated[str, typer.Argument(help="Name, as in 'napari-medvlm models list'.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List added, downloaded and downloadable models."""
    from napari_medvlm.worker.model_status import offered

    with report_errors():
        rows = [_summary(row) for row in offered()]
    print_result({"models": rows}, as_json, lambda: "\n".join(map(_line, rows)))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the details of a model."""
    from napari_medvlm.worker.model_status import offer_of

    with report_errors():
        summary = _summary(offer_of(name))
    print_result(summary, as_json, lambda: "\n".join(_lines(summary)))


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="Weights file, or folder of a model.")],
    backend: Annotated[
        str, typer.Option(help="Backend that loads it; see 'napari-medvlm backends'.")
    ],
    name: Annotated[
        str, typer.Option(help="Name of the model; default: name of the file or folder.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Register a model on disk under a name for --model. Its files are not moved."""
    from napari_medvlm.backends.models import registry
    from napari_medvlm.worker.model_status import offer_of

    with report_errors():
        with interruptible_progress() as progress:
            added = registry.add(path, backend, progress, name)
        summary = _summary(offer_of(added.name))
    print_result(summary, as_json, lambda: f"{added.name}: {added.path}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Hugging Face hub id: owner/name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a model's licence and size, ask for confirmation, then download and verify it.

    Only safetensors weights and text files are downloaded; nothing about your images is sent.
    """
    from napari_medvlm.backends.models import download as models_download
    from napari_medvlm.backends.models import manage

    with report_errors():
        manage.require_on_hub(name)
        offered = models_download.offer(name)
        typer.echo(printable(f"{offered.model}\n  licence: {offered.licence}"), err=as_json)
        size = f"  size: {offered.size} in {quantity(offered.files, 'file')}\n  {offered.url}"
        typer.echo(printable(size), err=as_json)
        if offered.gated:
            typer.echo("  Accept its terms on its page first.", err=as_json)
        if not (yes or not offered.files or typer.confirm("Download it?", err=as_json)):
            raise typer.Exit(1)
        with interruptible_progress() as progress:
            folder = manage.download(name, progress)
    summary = {"name": name, "licence": offered.licence, "path": str(folder)}
    print_result(summary, as_json, lambda: str(folder))


@app.command()
def verify(
    name: Name,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Check the files only; do not run the model.")
    ] = False,
    device: Annotated[str, typer.Option(help="Device to run on, such as cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Check a model's files, then run a known input with it and record the result.

    The exit status is 1 if a file differs from its hash, or the model cannot be run.
    """
    from napari_medvlm.backends.models import manage, registry
    from napari_medvlm.worker.environment_runner import RoutedRunner
    from napari_medvlm.worker.model_check import run_known_input

    run = None
    with report_errors(), interruptible_progress() as progress:
        wrong = manage.verify(name, progress)
        if not (wrong or files_only):
            runner = RoutedRunner()
            try:
                run = run_known_input(registry.find(name), runner, device, progress)
            finally:
                runner.stop()
    summary = {"name": name, "whole": not wrong, "wrong": list(wrong)}
    summary["run"] = None if run is None else run.model_dump(mode="json")
    text = f"{name}: files verified" + ("." if run is None else f"; {run.summary}")
    print_result(summary, as_json, lambda: "\n".join(wrong) or text)
    if wrong or (run is not None and not run.passed):
        raise typer.Exit(1)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a downloaded model, or unregister an added one, whose files stay."""
    from napari_medvlm.backends.models import manage, registry

    with report_errors():
        model = registry.find(name)
        if not yes and model.state is registry.State.DOWNLOADED:
            typer.confirm(f"Delete {model.path}?", abort=True, err=as_json)
        done = manage.remove(name)
    print_result({"name": name, "done": done}, as_json, lambda: done)


@app.command()
def trust(
    path: Annotated[Path, typer.Argument(help="Weights file, or folder of a bundle or model.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip confirmation.")] = False,
) -> None:
    """Trust a file or folder that can run code, in its present version.

    The files of a model's own code are listed first, and confirmation is asked for.
    """
    from napari_medvlm.backends.model_code import code_folder
    from napari_medvlm.backends.models.trust import trust as trust_file

    with report_errors():
        folder = path.expanduser()
        if code_folder.code_of(folder) is not None:
            code_folder.refuse_hub_code(folder)
            names = "".join(f"\n  {name}" for name in code_folder.code_files(folder))
            typer.echo(printable(f"Code in {path} that can run:{names}"))
            if not (yes or typer.confirm("Trust it?")):
                raise typer.Exit(1)
        trust_file(folder)
    typer.echo(printable(f"{path} is trusted until it changes."))


@app.command()
def convert(
    path: Annotated[str, typer.Argument(help="Folder or file of the authors, name or hub id.")],
    out: Annotated[
        Path | None, typer.Option(help="New folder; default: FOLDER-transformers, next to it.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the converted model; default: name of its folder.")
    ] = "",
    image_size: Annotated[
        int, typer.Option(help="Image size in pixels, if no file states it (SAM 2).")
    ] = 0,
    architecture: Annotated[
        str, typer.Option(help="open_clip architecture, if no file states it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Convert a model in its authors' layout for transformers, and add it.

    Licence files are copied; the checkpoint stays as it is. No code of the model is run.
    """
    from napari_medvlm.backends.layouts.convert import convert as convert_model
    from napari_medvlm.backends.models import registry
    from napari_medvlm.backends.models.resolve import local_path

    options = {"image_size": str(image_size or ""), "architecture": architecture}
    with report_errors(), interruptible_progress() as progress:
        source = local_path(path)
        converted = convert_model(source, out, progress, {k: v for k, v in options.items() if v})
        added = registry.add(converted.folder, converted.backend, progress, name)
    summary = {
        "name": added.name,
        "path": str(converted.folder),
        "layout": converted.layout,
        "backend": converted.backend,
        "licences": list(converted.licences),
        "notes": list(converted.notes),
    }
    print_result(summary, as_json, lambda: "\n".join(_converted_lines(summary)))


def _converted_lines(row: dict[str, Any]) -> list[str]:
    licences = ", ".join(row["licences"]) or "none in the folder; see the model's page"
    return [
        f"{row['name']}: {row['path']}",
        f"  layout: {row['layout']}",
        f"  backend: {row['backend']}",
        f"  licence files: {licences}",
        *(f"  note: {note}" for note in row["notes"]),
    ]


def _summary(row: Any) -> dict[str, Any]:
    """Return the JSON output for a model."""
    model, about = row.model, row.model.about
    return {
        "name": model.name,
        "title": about.title,
        "tasks": sorted(row.tasks),
        "backend": about.backend,
        "obstacle": row.obstacle,
        "layout": row.layout or None,
        "state": row.state,
        "path": None if model.path is None else str(model.path),
        "bytes": model.bytes,
        "memory_mib": about.memory_mib or None,
        "code_licence": about.code_licence,
        "weights_licence": about.weights_licence,
        "use": model.licence_in_words,
        "page": model.page,
        "adapter": model.adapter,
        "notes": about.notes,
        "revision": about.revision or None,
        "format_source": about.format_source,
        "run_with_weights": about.run_with_weights or None,
        "tested": row.tested,
    }


def _line(row: dict[str, Any]) -> str:
    parts = [
        *(row["backend"], row["use"], _memory(row), row["state"], _size(row)),
        *(row["adapter"], row["tested"]),
    ]
    return f"{row['name']}: " + "; ".join(part for part in parts if part)


def _lines(row: dict[str, Any]) -> list[str]:
    facts = {
        "does": ", ".join(row["tasks"]),
        "backend": row["backend"],
        "weights": f"{row['use']} ({row['weights_licence']})",
        "code": row["code_licence"],
        "memory": _memory(row) or "unknown",
        "state": ", ".join(part for part in (row["state"], _size(row)) if part),
        "layout": row["layout"],
        "path": row["path"],
        "page": row["page"],
        "written for": _written_for(row),
        "format read in": row["format_source"],
        "tested": row["tested"],
        "adapter": row["adapter"],
        "notes": row["notes"],
        "obstacle": row["obstacle"],
    }
    title = row["title"] if row["title"] == row["name"] else f"{row['name']} ({row['title']})"
    return [title, *(f"  {key}: {value}" for key, value in facts.items() if value)]


def _written_for(row: dict[str, Any]) -> str:
    """The published checkpoint that the code was written for, and its revision."""
    if not row["format_source"]:
        return ""
    return f"{row['name']}, revision {row['revision'] or 'not pinned'}"


def _memory(row: dict[str, Any]) -> str:
    from napari_medvlm.backends.memory.free import gigabytes

    return f"needs {gigabytes(row['memory_mib'])}" if row["memory_mib"] else ""


def _size(row: dict[str, Any]) -> str:
    from napari_medvlm.backends.models.download import megabytes

    return megabytes(row["bytes"]) if row["bytes"] else ""
