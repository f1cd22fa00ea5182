"""``replay``: the masks of a session file, computed again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Device,
    Frame,
    Model,
    Series,
    Spacing,
    read_image,
)
from napari_medvlm.cli.output import FAILED, print_result, report_errors
from napari_medvlm.io import Gaps


def replay(  # noqa: PLR0913  # one for each option
    session: Annotated[Path, typer.Argument(help="Session (.json) or journal (.jsonl).")],
    image: Annotated[Path | None, typer.Option(help="The image, if it has moved.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="Use this backend instead of the recorded one.")
    ] = None,
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the recomputed masks to this label image.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the masks of a session and compare them with the recorded ones.

    With another backend, compare the masks of both backends for each object: Dice and volumes in
    mL.

    --out writes objects as the label values 1, 2, ... in their order; where objects overlap, the
    last one counts.

    The exit status is 0 if all masks are identical, else 1.
    """
    import napari_medvlm as nmv

    with report_errors():
        ledger = nmv.Ledger.load(session)
        source = _source(ledger, image)
        volume = read_image(source, spacing, series=series, frame=frame, gaps=gaps)
        replayed = nmv.replay(ledger, volume, backend, model=model, device=device, runner="inline")
        objects = [_replay_summary(r) for r in replayed]
        if backend is not None:
            for entry, comparison in zip(
                objects, _compare_backends(ledger, volume, replayed), strict=True
            ):
                entry |= comparison
        identical = all(r.identical is not False for r in replayed)
        if out is not None:
            _write_replayed(out, replayed, volume)
        print_result(
            {
                "identical": identical,
                "objects": objects,
                "out": None if out is None else str(out),
            },
            as_json,
            lambda: "\n".join(
                [
                    *(_line(item) for item in objects),
                    *([] if out is None else [str(out)]),
                    "Identical." if identical else "Not identical.",
                ]
            ),
        )
        if not identical:
            raise typer.Exit(FAILED)


def _write_replayed(out: Path, replayed: Iterable[Any], volume: Any) -> None:
    """Write the recomputed masks as one label image, with the names of the objects."""
    import numpy as np

    import napari_medvlm as nmv
    from napari_medvlm.io.dicom_objects.seg_write import Segment

    objects = list(replayed)
    labels = np.zeros(volume.shape, np.uint16)
    for value, item in enumerate(objects, 1):
        labels[item.mask.full().astype(bool)] = value
    segments = {value: Segment(item.name) for value, item in enumerate(objects, 1)}
    nmv.write_mask(out, labels, volume, segments)


def _replay_summary(replayed: Any) -> dict[str, Any]:
    return {
        "object": replayed.name,
        "backend": replayed.backend,
        "identical": replayed.identical,
        "voxels_recorded": replayed.voxels_recorded,
        "voxels_replayed": replayed.voxels_replayed,
        "edits": replayed.edits,
    }


def _compare_backends(ledger: Any, volume: Any, replayed: Any) -> list[dict[str, Any]]:
    """Compare the masks of another backend with recomputed masks of the recorded backend."""
    import napari_medvlm as nmv
    from napari_medvlm.sessions.segment.replay import compared

    comparisons = []
    for recorded, recomputed in zip(
        nmv.replay(ledger, volume, runner="inline"), replayed, strict=True
    ):
        comparison = compared(recorded.mask, recomputed, recorded.backend, volume)
        comparisons.append(
            {
                "backend_recorded": comparison.backend_recorded,
                "then_identical": recorded.identical,
                "dice": round(comparison.dice, 4),
                "volume_recorded_ml": round(comparison.volume_recorded_ml, 4),
                "volume_replayed_ml": round(comparison.volume_replayed_ml, 4),
            }
        )
    return comparisons


def _source(ledger: Any, image: Path | None) -> Path:
    from napari_medvlm.data.errors import SessionFileError

    if image is not None:
        return image
    if ledger.image.source is None:
        raise SessionFileError(
            f"The session has no path of its image, {ledger.image.name}.",
            "Set it with --image scan.nii.gz.",
        )
    return Path(ledger.image.source)


def _line(replayed: dict[str, Any]) -> str:
    states = {True: "identical", False: "NOT identical", None: "not recorded"}
    change = f"{replayed['voxels_recorded']} voxels recorded, {replayed['voxels_replayed']} now"
    line = f"{replayed['object']}: {states[replayed['identical']]} ({change})"
    if replayed["edits"]:
        line += f", then {replayed['edits']} edits by hand"
    if "dice" not in replayed:
        return line
    volumes = (
        f"{replayed['volume_recorded_ml']} mL recorded, {replayed['volume_replayed_ml']} mL now"
    )
    return f"{line}; Dice {replayed['dice']}, {volumes}"
