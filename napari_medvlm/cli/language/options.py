"""Options of the commands that take words: label images, slices and servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.output import print_note

Labels = Annotated[
    list[Path],
    typer.Option(help="Label image of the patient, with a table of label names next to it."),
]
BaseUrl = Annotated[
    str | None, typer.Option(help="Base URL of the server, such as http://127.0.0.1:8000/v1.")
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Allow sending images to this non-local server; remembered.",
    ),
]


def server_model(
    backend: str, model: str | None, base_url: str | None, allowed: bool
) -> str | None:
    """Return the model, prefixed by its server's base URL if there is one."""
    from napari_medvlm.backends.openai_server.connection import joined
    from napari_medvlm.settings import allowed_hosts

    if base_url is None:
        if backend == "server" and "://" not in (model or ""):
            raise typer.BadParameter("The server backend needs --base-url.")
        return model
    if allowed:
        allowed_hosts.allow(base_url)
    return joined(base_url, model or "")


def read_label_images(paths: list[Path], volume: Any) -> list[Any]:
    """Read label images with their names, and print their notes to stderr."""
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.label_images import read_labels

    named = [read_labels(path, grid=volume.grid) for path in paths]
    for path, labels in zip(paths, named, strict=True):
        for note in (*mismatch_notes(path, volume), *labels.notes):
            print_note(note)
    return named


def scope_of(slices: str | None, slice_step_mm: float, coarse_to_fine: bool) -> Any:
    """Return the slices of AXIS:START:STOP; all slices if there is no text."""
    from napari_medvlm.data.grounding import Scope

    if slices is None:
        return Scope(slice_step_mm=slice_step_mm, coarse_to_fine=coarse_to_fine)
    try:
        axis, start, stop = (int(part) for part in slices.split(":"))
    except ValueError:
        raise typer.BadParameter(f"{slices!r} is not AXIS:START:STOP such as 0:40:60.") from None
    return Scope(axis, start, stop, slice_step_mm, coarse_to_fine)
