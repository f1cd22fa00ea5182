"""``measure``: sizes and intensities of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson, AtGaps, Frame, Image, Series, Spacing, opened
from napari_medvlm.cli.output import print_result, report_errors
from napari_medvlm.io import Gaps


def measure(  # noqa: PLR0913  # one for each option
    image: Image,
    mask: Annotated[
        Path, typer.Option(help="Objects of the image: DICOM SEG or RTSTRUCT, NIfTI, NRRD, MHA.")
    ],
    csv: Annotated[Path | None, typer.Option(help="Where to write a table.")] = None,
    sr: Annotated[
        Path | None, typer.Option(help="Where to write a DICOM report; the mask must be a SEG.")
    ] = None,
    words: Annotated[
        list[Path],
        typer.Option(help="Saved sessions of the Ground or Ask dock, to be told in the report."),
    ] = [],  # noqa: B006
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Measure objects: volume, surface, diameters, place and intensities.

    Millimetres are patient coordinates (S, P, L); diameters are those of RECIST, in axial slices.
    """
    from napari_medvlm.data.mask import Mask
    from napari_medvlm.data.measurements.table import row, write_csv
    from napari_medvlm.io.dicom_objects.sr import write_sr
    from napari_medvlm.io.label_images import read_masks
    from napari_medvlm.sessions.export.sr_evaluations import evaluations_of_file

    with report_errors():
        volume = opened(image, spacing, series=series, frame=frame, gaps=gaps)
        named = read_masks(mask, volume.grid)
        rows = {v: row(n, Mask.of(named.values == v), volume) for v, n in named.names.items()}
        if csv is not None:
            write_csv(csv, list(rows.values()))
        if sr is not None:
            said = [s for path in words for s in evaluations_of_file(path, volume)]
            write_sr(sr, mask, {v: dict(made.values) for v, made in rows.items()}, volume, said)
    found = [dict(made.values) for made in rows.values()]
    notes = [*named.notes, *volume.notes]
    for note in notes:
        typer.echo(note, err=True)
    told_of = {"objects": found, "notes": notes}
    print_result(told_of, as_json, lambda: "\n".join(map(_line, found)))


def _line(values: dict[str, Any]) -> str:
    from napari_medvlm.data.measurements.measure import brightness

    if not values["voxels"]:
        return f"{values['name']}: empty"
    return (
        f"{values['name']}: {values['volume_ml']:.2f} mL, "
        f"{values['longest_axial_mm']:.1f} x {values['perpendicular_axial_mm']:.1f} mm, "
        f"{brightness(values)}"
    )
