"""``evaluate masks``: score masks that another program made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_medvlm.cli.evaluate_lines import mask_lines
from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, progress_bar

CaseTable = Annotated[
    Path | None,
    typer.Option(help="CSV or TSV: column 'case', and columns whose values group the results."),
]


def masks(  # noqa: PLR0913  # one for each option
    predicted: Annotated[Path, typer.Argument(help="Folder of predicted label images.")],
    labels: Annotated[Path, typer.Argument(help="Folder of reference label images.")],
    out: Annotated[Path, typer.Option(help="Output folder.")],
    images: Annotated[Path | None, typer.Option(help="Folder of images, for pictures.")] = None,
    mask_pattern: Annotated[
        str, typer.Option(help="Names of predicted files, such as {case}_pred.nii.gz.")
    ] = "{case}",
    label_pattern: Annotated[
        str, typer.Option(help="Names of reference files, such as {case}_seg.nii.gz.")
    ] = "{case}",
    names: Annotated[
        Path | None, typer.Option(help="Table of label names: JSON, TSV, CSV or text.")
    ] = None,
    structure: Annotated[
        list[str], typer.Option(help="Structure by name or label value; default: all.")
    ] = [],  # noqa: B006
    tolerance_mm: Annotated[
        float, typer.Option(min=0, help="Tolerance of the surface Dice (NSD), mm.")
    ] = 2.0,
    case_table: CaseTable = None,
    as_json: AsJson = False,
) -> None:
    """Score label images made by another program: Dice, IoU, NSD, HD95, tables and a report.

    The output can be compared with runs of 'evaluate segment'.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.segment.score_masks import MaskFolders, plan_of, score_masks
        from napari_medvlm.evaluation.studies.strata import columns_in
        from napari_medvlm.io.label_images import read_names

        table = None if names is None else read_names(names)
        folders = MaskFolders(predicted, labels, images, table, (mask_pattern, label_pattern))
        plan = plan_of(structure, tolerance_mm)
        summary = score_masks(folders, plan, out, progress, columns_in(case_table))
    print_result(summary, as_json, lambda: mask_lines(summary, out))
