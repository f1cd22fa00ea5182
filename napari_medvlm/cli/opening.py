"""How the commands open an image."""

from __future__ import annotations

from pathlib import Path

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
