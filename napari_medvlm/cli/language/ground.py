"""``ground``: regions of phrases."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.channels import Channels, Resample, read_channels
from napari_medvlm.cli.language.options import Labels, notes_of, read_label_images, scope_of
from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Backend,
    Device,
    Frame,
    Image,
    Model,
    Series,
    Spacing,
    note_device,
    read_image,
)
from napari_medvlm.cli.output import NOT_FOUND, print_note, print_result, report_errors
from napari_medvlm.io import Gaps

Searched = Annotated[
    str | None,
    typer.Option(help="Slices to search: AXIS:START:STOP in array order, such as 0:40:60."),
]
HeatmapThreshold = Annotated[
    float | None,
    typer.Option(help="Threshold for masks of the heatmaps, 0 to 1."),
]
MaxOverlap = Annotated[
    float,
    typer.Option(
        help="Non-maximum suppression: of boxes of a phrase that overlap more than this "
        "(intersection over union, 0 to 1), keep the one with the highest score.",
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report", help="A text file with the report, for a model that takes one (TextBraTS)."
    ),
]
MasksFile = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Write the masks to this file, one label for each phrase: .nii.gz, .nii, .nrrd, "
        ".mha, .dcm (SEG), .rtstruct.dcm or .stl. Names are in a .tsv table next to it.",
    ),
]


def ground(  # noqa: PLR0913  # one for each option
    image: Image,
    phrase: Annotated[list[str], typer.Argument(help="Phrases to search for, each in quotes.")],
    labels: Labels = [],  # noqa: B006
    slices: Searched = None,
    slice_step_mm: Annotated[
        float, typer.Option(help="Slice step in mm, for models of 2D images.")
    ] = 0.0,
    coarse_to_fine: Annotated[
        bool, typer.Option(help="Refine: then search every slice around the hits.")
    ] = False,
    heatmap_threshold: HeatmapThreshold = None,
    max_overlap: MaxOverlap = 1.0,
    out: MasksFile = None,
    channel: Channels = [],  # noqa: B006
    resample: Resample = False,
    report: ReportFile = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Locate phrases in an image.

    Boxes are in patient millimetres (S, P, L), lowest and highest corner, and in JSON also as
    indices z,y,x, first and one after the last. The exit status is 3 if none of the phrases is
    found. A model of several images, such as T1, T2 and FLAIR, gets all of them by --channel;
    IMAGE is the one whose grid the masks have.
    """
    import napari_medvlm as nmv

    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        named = read_label_images(labels, volume)
        channels = read_channels(channel, image, volume, spacing, gaps)
        note_device(backend, device)
        text, start = _report_of(report, backend, model), time.perf_counter()
        grounding = nmv.ground(
            volume, phrase, backend, scope=scope_of(slices, slice_step_mm, coarse_to_fine),
            labels=named, model=model, device=device, channels=channels, resample=resample,
            report=text,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        grounding = _filtered(grounding, volume, max_overlap, heatmap_threshold)
        labels_written = _write_masks(out, grounding, volume, backend, model)
    summary = {
        "backend": backend,
        "out": None if out is None else str(out),
        "labels": labels_written,
        "seconds": round(seconds, 3),
        **_grounding_summary(grounding, volume, named),
    }
    print_result(summary, as_json, lambda: "\n".join(_lines(grounding, volume)))
    if not grounding.regions:
        raise typer.Exit(NOT_FOUND)


def _lines(grounding: Any, volume: Any) -> list[str]:
    """What is printed of a grounding."""
    lines = [_region_line(region, volume) for region in grounding.regions]
    return lines + [f"{n.phrase}: not found. {n.reason}" for n in grounding.not_found]


def _report_of(file: Path | None, backend: str, model: str | None) -> str:
    """The text of a report; empty: none was given."""
    from napari_medvlm.backends import registry
    from napari_medvlm.backends.models.resolve import resolve

    if file is None:
        return ""
    if not registry.takes_report(backend, resolve(model)):
        raise typer.BadParameter("The model takes no report. Leave --report out.")
    try:
        return file.expanduser().read_text("utf-8")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file} cannot be read as text in UTF-8: {error}") from error


def _filtered(
    grounding: Any, volume: Any, max_overlap: float, heatmap_threshold: float | None
) -> Any:
    """A grounding without overlapping regions, and with masks of its heatmaps, where asked."""
    if max_overlap != 1:
        grounding = grounding.distinct(max_overlap, volume.grid)
    if heatmap_threshold is not None:
        grounding = grounding.masked(heatmap_threshold, volume.grid)
    return grounding


def _grounding_summary(grounding: Any, volume: Any, named: list[Any]) -> dict[str, Any]:
    return {
        "notes": [*volume.notes, *notes_of(named), *grounding.notes],
        "regions": [_region(region, volume) for region in grounding.regions],
        "not_found": [
            {"phrase": n.phrase, "best_score": n.best_score, "reason": n.reason}
            for n in grounding.not_found
        ],
    }


def _write_masks(
    out: Path | None, grounding: Any, volume: Any, backend: str, model: str | None
) -> dict[int, str]:
    """Write the masks of a grounding if there are regions; return the name of each label."""
    from napari_medvlm.sessions.export.grounding_masks import write_grounding

    if out is None or not grounding.regions:
        return {}
    written = write_grounding(out, grounding, volume, backend, model)
    for note in written.notes:
        print_note(note)
    return written.names


def _region(region: Any, volume: Any) -> dict[str, Any]:
    start, stop = region.box.bounds(volume.grid)
    in_mm = volume.spacing_is_known
    return {
        "phrase": region.phrase,
        "score": region.score,
        "kind": str(region.kind),
        "name": region.name,
        "box_zyx": [[int(i) for i in start], [int(i) for i in stop]],
        "box_mm": region.bounds_mm.round(3).tolist() if in_mm else None,
        "center_mm": region.center_mm.round(3).tolist() if in_mm else None,
    }


def _region_line(region: Any, volume: Any) -> str:
    position = f"({', '.join(f'{v:.1f}' for v in region.center_mm)}) mm"
    if not volume.spacing_is_known:
        index = volume.grid.to_index(region.center_mm).round().astype(int).tolist()
        position = f"index {','.join(map(str, index))}"
    score = "" if region.score is None else f", score {region.score:.2f}"
    return f"{region.phrase}: {region.name or region.kind} at {position}{score}"
