"""``--channel NAME=FILE``: the images of a model that takes several of a patient together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.cli.options import read_image
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import Gaps

Channels = Annotated[
    list[str],
    typer.Option(
        "--channel",
        help="Input channel of a model of several images, as NAME=FILE, such as "
        "FLAIR=flair.nii.gz; repeat for each channel.",
    ),
]
Resample = Annotated[
    bool, typer.Option("--resample", help="Resample channels on other grids to that of IMAGE.")
]


def named_channels(texts: Sequence[str]) -> dict[str, str]:
    """The files or patterns of ``NAME=FILE`` by the names of the channels.

    Raises
    ------
    typer.BadParameter
        If a text has another form, or a name comes twice.
    """
    channels: dict[str, str] = {}
    for text in texts:
        name, equals, file = (part.strip() for part in text.partition("="))
        if not (name and equals and file):
            raise typer.BadParameter(f"{text!r} is not NAME=FILE such as FLAIR=flair.nii.gz.")
        if name in channels:
            raise typer.BadParameter(f"The channel {name} is given twice.")
        channels[name] = file
    return channels


def read_channels(
    texts: Sequence[str], image: Path, volume: Volume, spacing: str | None, gaps: Gaps
) -> dict[str, Volume]:
    """Read the images of ``NAME=FILE``; the file of the image itself is not read again.

    Raises
    ------
    typer.BadParameter
        If a text has another form, a name comes twice, or there is no such file.
    InvalidImage
        If an image cannot be read.
    """
    channels: dict[str, Volume] = {}
    for name, file in named_channels(texts).items():
        path = Path(file).expanduser()
        if not path.exists():
            raise typer.BadParameter(f"There is no file {path} for the channel {name}.")
        is_image = image.exists() and path.samefile(image)
        channels[name] = volume if is_image else read_image(path, spacing, gaps=gaps)
    return channels
