"""How the commands open an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.data.volume import UNTOLD_SIZE, Volume
from napari_medvlm.io import Gaps, read_volume


def opened(
    image: Path,
    spacing: str | None = None,
    *,
    series: str | None = None,
    frame: int | None = None,
    gaps: Gaps = Gaps.REFUSE,
) -> Volume:
    """Read an image, see `read_volume`; its voxels in the size that a person gives.

    Parameters
    ----------
    spacing
        ``z,y,x`` in millimetres; `None`: as the file tells it. If it does not, that is told.

    Raises
    ------
    InvalidImage
        If it cannot be read, or voxels cannot have that size.
    """
    volume = sized(read_volume(image, series=series, frame=frame, gaps=gaps), spacing)
    if volume.spacing_is_assumed:
        typer.echo(f"{UNTOLD_SIZE} Give it: --spacing z,y,x", err=True)
    return volume


def sized(volume: Volume, spacing: str | None) -> Volume:
    """The volume with its voxels in a size ``z,y,x`` in millimetres; `None`: as they are.

    Raises
    ------
    InvalidImage
        If voxels cannot have that size.
    """
    return volume if spacing is None else volume.spaced(_sizes(spacing))


def _sizes(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not the size of a voxel z,y,x in mm such as 5,0.7,0.7."
        ) from None
    return z, y, x


Image = Annotated[
    Path, typer.Argument(help="NIfTI, NRRD, MHA, a DICOM file or folder, or a picture.")
]
Backend = Annotated[str, typer.Option(help="Who does the work; see 'napari-medvlm backends'.")]
Model = Annotated[
    str | None, typer.Option(help="A name of 'napari-medvlm models list', or a file or folder.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Series = Annotated[str | None, typer.Option(help="Which DICOM series: its UID, number or name.")]
Frame = Annotated[int | None, typer.Option(help="Which volume of a 4D file, from 0.")]
AtGaps = Annotated[Gaps, typer.Option("--gaps", help="What to do where DICOM slices are missing.")]
Spacing = Annotated[
    str | None,
    typer.Option(
        help="Size of a voxel z,y,x in mm, where the file does not tell it or tells it wrong."
    ),
]
Report = Annotated[
    Path | None, typer.Option(help="Where to write a page with figures and pictures: .html.")
]
