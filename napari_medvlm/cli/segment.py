"""``segment`` and ``replay``: masks from prompts."""

from __future__ import annotations

import math
import time
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
    opened,
    sized,
)
from napari_medvlm.cli.output import print_result, report_errors
from napari_medvlm.io import Gaps

Name = Annotated[
    str | None,
    typer.Option(
        help="What the object is, as 'left kidney': DICOM's terms are coded. Beside labels "
        "that are not DICOM it stands in a table, .tsv."
    ),
]


def segment(  # noqa: PLR0913  # one for each option
    image: Image,
    point: Annotated[list[str], typer.Option(help="Index z,y,x inside the object.")] = [],  # noqa: B006
    negative: Annotated[list[str], typer.Option(help="Index z,y,x outside the object.")] = [],  # noqa: B006
    box: Annotated[
        list[str], typer.Option(help="z,y,x:z,y,x around the object, the second corner excluded.")
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(
            help="As .nii.gz, .nii, .nrrd, .mha, .dcm (SEG), .labelmap.dcm, .rtstruct.dcm or .stl."
        ),
    ] = None,
    name: Name = None,
    session: Annotated[
        Path | None, typer.Option(help="Where to write the session, to resume or replay it.")
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
    """Segment one object from points and boxes.

    Indices are in array order (z, y, x) from 0, as read_volume gives them; millimetres are
    patient coordinates (S, P, L). Boxes are taken first, then points, then negatives.
    """
    import napari_medvlm as nmv
    from napari_medvlm.sessions.export.session_report import write_page

    with report_errors():
        volume = opened(image, spacing, series=series, frame=frame, gaps=gaps)
        prompts = _prompts(volume, box, point, negative)
        with nmv.SegmentationSession(volume, backend, "inline", model=model, device=device) as work:
            if name is not None:
                work.add_object(name)
            seconds = [_seconds(work, prompt) for prompt in prompts]
            found = work.measurement(work.active or 0)
            if out is not None:
                _write_mask(out, work, named=name is not None)
            if session is not None:
                work.ledger.save(session)
            if report is not None:
                write_page(report, work)
        summary: dict[str, Any] = {
            **_measured(found),
            "seconds_per_click": round(sum(seconds) / len(seconds), 4),
            "clicks": len(seconds),
            "backend": backend,
            "out": None if out is None else str(out),
            "notes": [*volume.notes, *work.own_mask(work.active or 0).notes],
        }
        print_result(summary, as_json, lambda: _said(found, summary))


def _measured(found: Any) -> dict[str, Any]:
    return {
        "volume_ml": round(found.volume_ml, 4),
        "box_mm": found.box_mm,
        "mean": round(found.mean, 4),
        "sd": round(found.sd, 4),
        "unit": found.unit,
    }


def _write_mask(out: Path, work: Any, named: bool) -> None:
    """Write the object of a session; beside labels that a person named, the table of names."""
    import napari_medvlm as nmv
    from napari_medvlm.io.label_images import write_names
    from napari_medvlm.sessions.export.masks import segments_of, with_weights

    segment = with_weights(segments_of(work))[work.active or 0]
    nmv.write_mask(out, work.mask, work.volume, {1: segment})
    if named and not out.name.lower().endswith((".dcm", ".stl")):
        write_names(out, {1: (segment.name, segment.color)})


def replay(
    session: Annotated[Path, typer.Argument(help="A session (.json) or journal (.jsonl).")],
    image: Annotated[
        Path | None, typer.Option(help="The image, if it is no longer where it was.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="Another backend than the one of then.")
    ] = None,
    model: Model = None,
    device: Device = "cpu",
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Compute the masks of a session again and tell whether they are identical.

    With another backend, both masks of each object are made and compared: Dice and volumes, in mL.

    Ends with status 0 if all are identical, with 2 if one is not.
    """
    import napari_medvlm as nmv

    with report_errors():
        ledger = nmv.Ledger.load(session)
        volume = sized(nmv.read_volume(_source(ledger, image)), spacing)
        done = nmv.replay(ledger, volume, backend, model=model, device=device, runner="inline")
        objects = [_told_of(r) for r in done]
        if backend is not None:
            for entry, made in zip(objects, _against_then(ledger, volume, done), strict=True):
                entry |= made
        identical = all(r.identical is not False for r in done)
        print_result(
            {"identical": identical, "objects": objects},
            as_json,
            lambda: "\n".join(
                [*(_line(r) for r in objects), "Identical." if identical else "Not identical."]
            ),
        )
        if not identical:
            raise typer.Exit(2)


def _said(found: Any, summary: dict[str, Any]) -> str:
    """A mask in words, and what is to be known of how it was made."""
    return "\n".join([f"{found}; {summary['seconds_per_click']} s a click", *summary["notes"]])


def _told_of(replayed: Any) -> dict[str, Any]:
    return {
        "object": replayed.name,
        "backend": replayed.backend,
        "identical": replayed.identical,
        "voxels_then": replayed.voxels_then,
        "voxels_now": replayed.voxels_now,
    }


def _against_then(ledger: Any, volume: Any, done: Any) -> list[dict[str, Any]]:
    """How the masks of another backend compare with those of then, which are made again."""
    import napari_medvlm as nmv
    from napari_medvlm.sessions.segment.replay import compared

    found = []
    for then, now in zip(nmv.replay(ledger, volume, runner="inline"), done, strict=True):
        both = compared(then.mask, now, then.backend, volume)
        found.append(
            {
                "backend_then": both.backend_then,
                "then_identical": then.identical,
                "dice": round(both.dice, 4),
                "volume_then_ml": round(both.volume_then_ml, 4),
                "volume_now_ml": round(both.volume_now_ml, 4),
            }
        )
    return found


def _seconds(session: Any, prompt: Any) -> float:
    """How long a prompt takes until its mask is there."""
    start = time.perf_counter()
    session.add(prompt)
    session.wait()
    return time.perf_counter() - start


def _prompts(volume: Any, box: list[str], point: list[str], negative: list[str]) -> list[Any]:
    import napari_medvlm as nmv

    found: list[Any] = [nmv.Box.at_index(volume, *_corners(text)) for text in box]
    found += [nmv.Point.at_index(volume, _index(text)) for text in point]
    found += [nmv.Point.at_index(volume, _index(text), positive=False) for text in negative]
    if not any(prompt.positive for prompt in found):
        raise typer.BadParameter("Give at least one --point or --box inside the object.")
    return found


def _index(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
        if not all(map(math.isfinite, (z, y, x))):
            raise ValueError(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an index z,y,x such as 89,96,77.") from None
    return z, y, x


def _corners(text: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    start, colon, stop = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"{text!r} is not a box z,y,x:z,y,x such as 80,90,70:99,120,90.")
    return _index(start), _index(stop)


def _source(ledger: Any, image: Path | None) -> Path:
    from napari_medvlm.data.errors import SessionFileError

    if image is not None:
        return image
    if ledger.image.source is None:
        raise SessionFileError(
            f"The session does not say where its image, {ledger.image.name}, is.",
            "Name it: --image scan.nii.gz",
        )
    return Path(ledger.image.source)


def _line(replayed: dict[str, Any]) -> str:
    states = {True: "identical", False: "NOT identical", None: "not recorded"}
    change = f"{replayed['voxels_then']} voxels then, {replayed['voxels_now']} now"
    line = f"{replayed['object']}: {states[replayed['identical']]} ({change})"
    if "dice" not in replayed:
        return line
    volumes = f"{replayed['volume_then_ml']} mL then, {replayed['volume_now_ml']} mL now"
    return f"{line}; Dice {replayed['dice']}, {volumes}"
