"""``follow``: lesions of a prior study in the current one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Backend,
    Device,
    Frame,
    Image,
    Model,
    Series,
    read_image,
)
from napari_medvlm.cli.output import (
    interruptible_progress,
    print_result,
    printable,
    report_errors,
    write_all,
)
from napari_medvlm.cli.register import Kind
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.io import Gaps

Masks = Annotated[
    Path,
    typer.Option(help="Lesions of the prior: DICOM SEG or RTSTRUCT, NIfTI, NRRD or MHA."),
]
CurrentMasks = Annotated[
    Path | None,
    typer.Option(help="Lesions of the current image: compare them without segmenting."),
]
Accept = Annotated[
    bool, typer.Option("--accept", help="Segment the proposed points with the backend.")
]
OtherPatient = Annotated[
    bool, typer.Option("--other-patient", help="Continue if the Patient IDs differ.")
]
NoBacktest = Annotated[
    bool, typer.Option("--no-backtest", help="Do not measure the reliability of changes.")
]
MasksOut = Annotated[
    Path | None,
    typer.Option(
        help="Write the lesions of the current image to this file; formats as of segment --out."
    ),
]
Reports = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Write a DICOM SEG and SR of each study to this existing folder.",
    ),
]
Dates = Annotated[
    str | None,
    typer.Option(
        help="Dates of the prior and the current study, as 2026-01-31,2026-06-30; by default "
        "those of the DICOM files."
    ),
]


def follow(  # noqa: PLR0913  # one for each option
    current: Image,
    prior: Annotated[Path, typer.Argument(help="The earlier image of the same patient.")],
    masks: Masks,
    current_masks: CurrentMasks = None,
    accept: Accept = False,
    kind: Annotated[Kind, typer.Option(help="Registration.")] = Kind.RIGID,
    other_patient: OtherPatient = False,
    nodes: Annotated[list[str], typer.Option(help="Name of a lesion that is a lymph node.")] = [],  # noqa: B006
    dates: Dates = None,
    no_backtest: NoBacktest = False,
    out: Annotated[Path | None, typer.Option(help="Write the table to this .csv file.")] = None,
    masks_out: MasksOut = None,
    reports: Reports = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    prior_series: Annotated[str | None, typer.Option(help="As --series, for the prior.")] = None,
    prior_frame: Annotated[int | None, typer.Option(help="As --frame, for the prior.")] = None,
    gaps: AtGaps = Gaps.REFUSE,
    as_json: AsJson = False,
) -> None:
    """Follow lesions of a prior image into the current one.

    Without --accept and --current-masks, points are only proposed. Pairs of values are of the
    prior and the current image; millimetres are patient coordinates (S, P, L).
    """
    import napari_medvlm as nmv
    from napari_medvlm.sessions.followup.study_reports import write_reports

    with report_errors():
        days = None if dates is None else _dates(dates)
        _check_output(masks_out, accept or current_masks is not None)
        now = read_image(current, series=series, frame=frame, gaps=gaps)
        before = read_image(prior, series=prior_series, frame=prior_frame, gaps=gaps)
        lesions = _masks(masks, before)
        present = None if current_masks is None else _masks(current_masks, now)
        for note in (*lesions.notes, *(present.notes if present else ())):
            typer.echo(printable(note), err=True)
        with interruptible_progress() as progress:
            result = nmv.follow(
                now, before, lesions, current_masks=present, accept=accept, kind=kind.value,
                other_patient=other_patient, backend=backend, model=model, device=device,
                dates=days, nodes=nodes, backtest=not no_backtest, progress=progress,
            )  # fmt: skip
        document = _with_notes(result.to_json(), now, before, lesions, present)
        print_result(document, as_json, lambda: _text(result))
        writes: list[Callable[[], object]] = []
        if out is not None:
            writes.append(lambda: result.write_csv(out))
        if masks_out is not None:
            writes.append(lambda: result.write_masks(masks_out, now))
        if reports is not None:
            writes.append(lambda: write_reports(reports, result, now, before, lesions))
        write_all(*writes)


def _masks(path: Path, volume: Any) -> Any:
    """The masks of a file on an image, with the notes on whether both belong together."""
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.label_images import read_masks

    named = read_masks(path, volume.grid)
    return replace(named, notes=(*mismatch_notes(path, volume), *named.notes))


def _with_notes(document: dict[str, Any], *read: Any) -> dict[str, Any]:
    """The result with the notes on how its images and masks were read; each note once."""
    texts = [note for source in read if source is not None for note in source.notes]
    return {**document, "notes": list(dict.fromkeys((*document["notes"], *texts)))}


def _dates(text: str) -> tuple[date, date]:
    from napari_medvlm.sessions.followup.follow import parsed_dates

    try:
        return parsed_dates(text)
    except InvalidPrompt as error:
        raise typer.BadParameter(error.message) from None


def _check_output(masks_out: Path | None, has_masks: bool) -> None:
    if masks_out is not None and not has_masks:
        raise typer.BadParameter("--masks-out needs --accept or --current-masks.")


def _text(result: Any) -> str:
    """A line for each lesion, the sum of diameters, and the notes."""
    lines = [_line(lesion) for lesion in result.lesions]
    before, now = result.sum_mm
    after = "not measured" if now is None else f"{now:.1f} mm"
    lines.append(f"Sum of diameters {before:.1f} mm, {after}: {result.category}")
    return "\n".join([*lines, *result.notes])


def _line(lesion: Any) -> str:
    if not lesion.is_measured:
        if lesion.current.center_mm is None:
            return f"{lesion.name}: {' '.join(lesion.notes)}"
        at = ", ".join(f"{v:.1f}" for v in lesion.current.center_mm)
        return f"{lesion.name}: proposed at ({at}) mm"
    change = f", {lesion.change_text}" if lesion.change_text else ""
    line = (
        f"{lesion.name}: {lesion.state or 'not measured'}, {lesion.prior.volume_ml:.2f} to "
        f"{lesion.current.volume_ml:.2f} mL{change}"
    )
    doubt = () if lesion.reliability is None else lesion.reliability.reasons
    return " ".join([line, *([f"(not reliable: {' '.join(doubt)})"] if doubt else [])])
