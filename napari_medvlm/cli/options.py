"""Options that several commands share, and reading the image they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.cli.output import print_note
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.volume import UNTOLD_SIZE, Volume
from napari_medvlm.io import Gaps, read_volume


def read_image(
    image: Path,
    spacing: str | None = None,
    *,
    series: str | None = None,
    frame: int | None = None,
    gaps: Gaps = Gaps.REFUSE,
) -> Volume:
    """Read an image with `read_volume`, with another voxel spacing if one is given.

    Parameters
    ----------
    spacing
        ``z,y,x`` in millimetres; `None`: as in the file.

    Notes
    -----
    What was assumed in reading is printed to standard error.

    Raises
    ------
    InvalidImage
        If it cannot be read, or the spacing is not valid.
    """
    volume = with_spacing(read_volume(image, series=series, frame=frame, gaps=gaps), spacing)
    for note in volume.notes:
        print_note(note)
    if not volume.spacing_is_known:
        print_note(f"{UNTOLD_SIZE} Set it with --spacing z,y,x.")
    return volume


def with_spacing(volume: Volume, spacing: str | None) -> Volume:
    """Return the volume with a voxel spacing ``z,y,x`` in millimetres; `None`: unchanged.

    Raises
    ------
    InvalidImage
        If the spacing is not valid.
    """
    return volume if spacing is None else volume.spaced(_parse_spacing(spacing))


def _parse_spacing(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a voxel spacing z,y,x in mm such as 5,0.7,0.7."
        ) from None
    return z, y, x


def note_device(backend: str, device: str) -> None:
    """Print a note if a backend computes on the processor only and another device is named."""
    from napari_medvlm.backends import registry

    info = registry.info(backend)
    if device != "cpu" and not info.modules:
        print_note(f"{info.title} computes on the CPU; --device {device} has no effect.")


def _device_name(device: str) -> str:
    """Return the name of a device; raise `typer.BadParameter` if it is none."""
    from napari_medvlm.backends.devices import require_device

    try:
        require_device(device)
    except BackendUnavailable as error:
        raise typer.BadParameter(str(error)) from None
    return device


Image = Annotated[
    Path, typer.Argument(help="NIfTI, NRRD, MHA, a DICOM file or folder, PNG, JPEG or TIFF.")
]
Backend = Annotated[str, typer.Option(help="Backend to use; see 'napari-medvlm backends'.")]
Model = Annotated[
    str | None, typer.Option(help="Name from 'napari-medvlm models list', or a file or folder.")
]
Device = Annotated[
    str, typer.Option(help="Device: cpu, cuda, cuda:1 or mps.", callback=_device_name)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Series = Annotated[str | None, typer.Option(help="DICOM series: its UID, number or description.")]
Frame = Annotated[int | None, typer.Option(help="Volume of a 4D file, from 0.")]
AtGaps = Annotated[Gaps, typer.Option("--gaps", help="What to do if DICOM slices are missing.")]
Spacing = Annotated[
    str | None,
    typer.Option(help="Voxel spacing z,y,x in mm, if the file has none or a wrong one."),
]
Report = Annotated[
    Path | None, typer.Option(help="Write a report with figures and images to this .html file.")
]
