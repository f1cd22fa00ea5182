"""``measure``: measure the objects of a mask."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson, AtGaps, Frame, Image, Series, Spacing, read_image
from napari_medvlm.cli.output import print_note, print_result, report_errors
from napari_medvlm.io import Gaps


def measure(  # noqa: PLR0913  # one for each option
    image: Image,
    mask: Annotated[
        Path, typer.Option(help="Mask or labels: DICOM SEG or RTSTRUCT, NIfTI, NRRD or MHA.")
    ],
    csv: Annotated[Path | None, typer.Option(help="Write a table to this file.")] = None,
    sr: Annotated[
        Path | None, typer.Option(help="Write a DICOM SR to this file; the mask must be a SEG.")
    ] = None,
    words: Annotated[
        list[Path],
        typer.Option(help="Saved session of the Ground or Ask dock to include in the SR."),
    ] = [],  # noqa: B006
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Measure objects: volume, surface, diameters, position and intensities.

    Millimetres are patient coordinates (S, P, L); diameters follow RECIST, in axial slices.
    """
    from napari_medvlm.data.measurements.table import row, write_csv
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.dicom_objects.sr import write_sr
    from napari_medvlm.io.label_images import read_masks
    from napari_medvlm.sessions.export.sr_evaluations import evaluations_of_file

    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        named = read_masks(mask, volume.grid)
        mask_notes = [*mismatch_notes(mask, volume), *named.notes]
        for note in mask_notes:
            print_note(note)
        rows = {v: row(n, named.mask_of(v), volume) for v, n in named.names.items()}
        if csv is not None:
            write_csv(csv, list(rows.values()))
        values = {v: dict(measures.values) for v, measures in rows.items()}
        objects = list(values.values())
        result = {"objects": objects, "notes": [*mask_notes, *volume.notes]}
        print_result(result, as_json, lambda: "\n".join(map(_line, objects)))
        if sr is not None:
            evaluations = [s for path in words for s in evaluations_of_file(path, volume)]
            write_sr(sr, mask, values, volume, evaluations)


def _line(values: dict[str, Any]) -> str:
    from napari_medvlm.data.measurements.measure import brightness

    if not values["voxels"]:
        return f"{values['name']}: empty"
    known = [f"{values['volume_ml']:.2f} mL"]
    if math.isnan(values["volume_ml"]):
        known = [f"{values['voxels']} voxels"]
    if not math.isnan(values["longest_axial_mm"]):
        longest, across = values["longest_axial_mm"], values["perpendicular_axial_mm"]
        known.append(f"{longest:.1f} x {across:.1f} mm")
    return f"{values['name']}: {', '.join([*known, brightness(values)])}"
