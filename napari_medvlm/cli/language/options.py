"""Options of the commands that take words: label images, slices and servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.output import print_note

NEAREST = "{} has other voxels than the image: the nearest of them are taken."

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
    """Read label images with their names and all notes, which are printed to stderr."""
    from napari_medvlm.data.geometry.grid import same_grid
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.label_images import read_labels

    read = []
    for path in paths:
        labels = read_labels(path, grid=volume.grid)
        notes = (*mismatch_notes(path, volume), *labels.notes)
        if not same_grid(labels.grid, volume.grid):
            notes = (*notes, NEAREST.format(path.name))
        for note in notes:
            print_note(note)
        read.append(replace(labels, notes=notes))
    return read


def notes_of(labels: list[Any]) -> list[str]:
    """Return the notes of label images, each once."""
    return list(dict.fromkeys(note for named in labels for note in named.notes))


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
