"""``deidentify``: a series without whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors, shown


def deidentify(
    source: Annotated[Path, typer.Argument(help="A DICOM file, or a folder and all below it.")],
    out: Annotated[Path, typer.Option(help="A new folder for the files.")],
    seed: Annotated[
        str | None,
        typer.Option(help="The same seed maps the same identities again. Long, and kept secret."),
    ] = None,
    series: Annotated[str | None, typer.Option(help="Only the series with this UID.")] = None,
    keep_characteristics: Annotated[
        bool, typer.Option(help="Leave sex, age, size and weight; SUV needs the weight.")
    ] = False,
    keep_descriptions: Annotated[
        bool, typer.Option(help="Leave descriptions and names of objects: free text, look at it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a DICOM series anew without the patient's identity, by the standard's basic profile.

    Dates are shifted, UIDs mapped, private elements removed. Pixels are not changed: a name that
    is written in the picture stays.
    """
    from napari_medvlm.io.dicom_objects.deidentification_profile import Keep
    from napari_medvlm.io.dicom_objects.deidentify import deidentify as export

    keep = Keep(keep_characteristics, keep_descriptions)
    with report_errors(), shown() as progress:
        made = export(source, out, series=series, seed=seed, keep=keep, progress=progress)
    summary = {
        "out": str(made.folder),
        "files": len(made.files),
        "left_out": [{"file": name, "reason": reason} for name, reason in made.left_out],
        "warnings": list(made.warnings),
    }
    print_result(summary, as_json, lambda: "\n".join(made.lines))
