"""``segment``: the mask of an object from prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
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
    Report,
    Series,
    Spacing,
    note_device,
    read_image,
)
from napari_medvlm.cli.output import print_note, print_result, report_errors, write_all
from napari_medvlm.io import Gaps

Name = Annotated[
    str | None,
    typer.Option(
        help="Name of the object, such as 'left kidney'; coded in DICOM output. For other formats "
        "the names are written to a .tsv table next to the labels."
    ),
]

Boxes = Annotated[
    list[str], typer.Option(help="z,y,x:z,y,x around the object, the second corner excluded.")
]
Lines = Annotated[
    list[str], typer.Option(help="z,y,x:z,y,x, the longest diameter of the object on a slice.")
]


def segment(  # noqa: PLR0913  # one for each option
    image: Image,
    point: Annotated[list[str], typer.Option(help="Index z,y,x inside the object.")] = [],  # noqa: B006
    negative: Annotated[list[str], typer.Option(help="Index z,y,x outside the object.")] = [],  # noqa: B006
    box: Boxes = [],  # noqa: B006
    line: Lines = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file: .nii.gz, .nii, .nrrd, .mha, .dcm (SEG), .labelmap.dcm, "
            ".rtstruct.dcm or .stl."
        ),
    ] = None,
    name: Name = None,
    session: Annotated[
        Path | None, typer.Option(help="Save the session to this file, to resume or replay it.")
    ] = None,
    report: Report = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Segment one object from points, boxes and lines.

    Indices are in array order (z, y, x) from 0, as read_volume gives them; millimetres are
    patient coordinates (S, P, L). Boxes are applied first, then lines, then positive, then
    negative points.
    """
    import napari_medvlm as nmv
    from napari_medvlm.sessions.export.session_report import write_page

    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        prompts = _prompts(volume, box, line, point, negative)
        note_device(backend, device)
        with nmv.SegmentationSession(volume, backend, "inline", model=model, device=device) as work:
            if name is not None:
                work.add_object(name)
            seconds = [_seconds(work, prompt) for prompt in prompts]
            measurement = work.measurement(work.active or 0)
            write_all(
                *([] if session is None else [lambda: work.ledger.save(session)]),
                *([] if report is None else [lambda: write_page(report, work)]),
                *([] if out is None else [lambda: _write_mask(out, work, named=name is not None)]),
            )
        mask_notes = _mask_notes(work, volume)
        _note_unwritten(out, session)
        summary: dict[str, Any] = {
            **_measured(measurement),
            "seconds_per_click": round(sum(seconds) / len(seconds), 4),
            "clicks": len(seconds),
            "backend": backend, "out": None if out is None else str(out),
            "notes": [*volume.notes, *mask_notes],
        }  # fmt: skip
        print_result(summary, as_json, lambda: _summary_text(measurement, summary, mask_notes))


def _note_unwritten(out: Path | None, session: Path | None) -> None:
    if out is None and session is None:
        print_note("Nothing was written: give --out mask.nii.gz to write the mask.")


MOST_OF_IMAGE = 0.5
"""Share of the image from which on a mask is noted as large."""


def _mask_notes(work: Any, volume: Any) -> tuple[str, ...]:
    """Return the notes on the active mask, and one if it covers most of the image."""
    mask = work.own_mask(work.active or 0)
    share = mask.voxels / math.prod(volume.shape)
    large = f"The mask covers {100 * share:.0f} % of the image; check the order of the index z,y,x."
    return (*mask.notes, *([large] if share > MOST_OF_IMAGE else []))


def _measured(measurement: Any) -> dict[str, Any]:
    return {
        "voxels": measurement.voxels,
        "volume_ml": round(measurement.volume_ml, 4) if measurement.spacing_is_known else None,
        "box_mm": measurement.box_mm if measurement.spacing_is_known else None,
        "mean": round(measurement.mean, 4),
        "sd": round(measurement.sd, 4),
        "unit": measurement.unit,
    }


def _write_mask(out: Path, work: Any, named: bool) -> None:
    """Write the active object, and a table of names if it is named and the format has none."""
    import napari_medvlm as nmv
    from napari_medvlm.io.label_images import write_names
    from napari_medvlm.sessions.export.masks import segments_of, with_weights

    segment = with_weights(segments_of(work))[work.active or 0]
    nmv.write_mask(out, work.mask, work.volume, {1: segment})
    if named and not out.name.lower().endswith((".dcm", ".stl")):
        write_names(out, {1: (segment.name, segment.color)})


def _summary_text(measurement: Any, summary: dict[str, Any], notes: Iterable[str]) -> str:
    """Return the printed lines: measurement, seconds per click, notes on the mask."""
    return "\n".join([f"{measurement}; {summary['seconds_per_click']} s per click", *notes])


def _seconds(session: Any, prompt: Any) -> float:
    """Add a prompt and return the seconds until its mask is computed."""
    start = time.perf_counter()
    session.add(prompt)
    session.wait()
    return time.perf_counter() - start


def _prompts(
    volume: Any, box: list[str], line: list[str], point: list[str], negative: list[str]
) -> list[Any]:
    import napari_medvlm as nmv

    prompts: list[Any] = [nmv.Box.at_index(volume, *_corners(text)) for text in box]
    prompts += [nmv.Line.at_index(volume, *_corners(text, "line")) for text in line]
    prompts += [nmv.Point.at_index(volume, _index(text)) for text in point]
    prompts += [nmv.Point.at_index(volume, _index(text), positive=False) for text in negative]
    if not any(prompt.positive for prompt in prompts):
        raise typer.BadParameter("Give at least one --point, --box or --line inside the object.")
    return prompts


def _index(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
        if not all(map(math.isfinite, (z, y, x))):
            raise ValueError(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an index z,y,x such as 89,96,77.") from None
    return z, y, x


def _corners(
    text: str, kind: str = "box"
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    start, colon, stop = text.partition(":")
    if not colon:
        raise typer.BadParameter(
            f"{text!r} is not a {kind} z,y,x:z,y,x such as 80,90,70:99,120,90."
        )
    return _index(start), _index(stop)
