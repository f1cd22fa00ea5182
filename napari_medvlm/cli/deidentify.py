"""``deidentify``: write a de-identified copy of DICOM files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import interruptible_progress, print_result, report_errors


def deidentify(
    source: Annotated[Path, typer.Argument(help="DICOM file, or folder (searched recursively).")],
    out: Annotated[Path, typer.Option(help="New folder for the copies.")],
    seed: Annotated[
        str | None,
        typer.Option(help="Secret seed; the same seed gives the same pseudonyms. Use a long one."),
    ] = None,
    series: Annotated[str | None, typer.Option(help="Only the series with this UID.")] = None,
    keep_characteristics: Annotated[
        bool, typer.Option(help="Keep sex, age, size and weight (SUV needs the weight).")
    ] = False,
    keep_descriptions: Annotated[
        bool, typer.Option(help="Keep descriptions and object names (free text; review it).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a copy de-identified by the Basic Profile of DICOM PS3.15.

    Dates are shifted, UIDs replaced and private elements removed. Pixel data is not changed: text
    burned into the image stays.
    """
    from napari_medvlm.io.dicom_objects.deidentification_profile import Keep
    from napari_medvlm.io.dicom_objects.deidentify import deidentify as export

    keep = Keep(keep_characteristics, keep_descriptions)
    with report_errors(), interruptible_progress() as progress:
        copy = export(source, out, series=series, seed=seed, keep=keep, progress=progress)
    summary = {
        "out": str(copy.folder),
        "files": len(copy.files),
        "left_out": [{"file": name, "reason": reason} for name, reason in copy.left_out],
        "warnings": list(copy.warnings),
    }
    print_result(summary, as_json, lambda: "\n".join(copy.lines))
