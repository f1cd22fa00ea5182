"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.io import Gaps

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
