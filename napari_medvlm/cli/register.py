"""``register``: register a prior to a current image of the same patient."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson, AtGaps, Frame, Image, Series, read_image
from napari_medvlm.cli.output import (
    interruptible_progress,
    print_note,
    print_result,
    printable,
    report_errors,
)
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import Gaps


class Kind(StrEnum):
    """Kinds of registration."""

    RIGID = "rigid"
    AFFINE = "affine"
    DEFORMABLE = "deformable"


def register(  # noqa: PLR0913  # one for each option
    current: Image,
    prior: Annotated[Path, typer.Argument(help="The earlier image of the same patient.")],
    kind: Annotated[
        Kind, typer.Option(help="Transform; deformable needs the extra 'register'.")
    ] = Kind.RIGID,
    registration: Annotated[
        Path | None, typer.Option(help="Use this DICOM Spatial Registration.")
    ] = None,
    other_patient: Annotated[
        bool, typer.Option("--other-patient", help="Continue if the Patient IDs differ.")
    ] = False,
    ignore_frame: Annotated[
        bool,
        typer.Option(
            "--ignore-frame", help="Register even if both images have the same frame of reference."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the prior on the current image's grid (.nii.gz or .nii)."),
    ] = None,
    series: Series = None,
    frame: Frame = None,
    prior_series: Annotated[str | None, typer.Option(help="As --series, for the prior.")] = None,
    prior_frame: Annotated[int | None, typer.Option(help="As --frame, for the prior.")] = None,
    gaps: AtGaps = Gaps.REFUSE,
    as_json: AsJson = False,
) -> None:
    """Register a prior to a current image: the transform between them and its quality.

    The matrix takes the prior's patient millimetres (S, P, L) to those of the current image.
    """
    import napari_medvlm as nmv
    from napari_medvlm.data.geometry.warp import prior_on_current
    from napari_medvlm.io.writers import NIFTI, write_image

    with report_errors():
        if out is not None and not out.name.lower().endswith(NIFTI):
            raise CannotSave(f"{out.name} is no NIfTI file.", "Use .nii.gz or .nii.")
        now = read_image(current, series=series, frame=frame, gaps=gaps)
        before = read_image(prior, series=prior_series, frame=prior_frame, gaps=gaps)
        with interruptible_progress() as progress:
            pairing = nmv.register(
                now, before, kind.value, spatial_registration=registration,
                other_patient=other_patient, ignore_frame=ignore_frame, progress=progress,
            )  # fmt: skip
        if not as_json:
            for note in pairing.notes:
                typer.echo(printable(note), err=True)
        if out is not None:
            write_image(out, Volume(prior_on_current(pairing, now.grid, before), now.affine))
        result = summary(pairing, (*now.notes, *before.notes))
        print_result(result, as_json, lambda: _text(pairing))


Prior = Annotated[
    Path | None,
    typer.Option(
        help="Earlier image of the same patient; its slices at the same positions are sent too."
    ),
]
PriorKind = Annotated[Kind, typer.Option(help="Transform that registers --prior to IMAGE.")]
SamePositions = Annotated[
    bool,
    typer.Option("--same-positions", help="Use the positions of --prior without registration."),
]
OtherPatient = Annotated[
    bool, typer.Option("--other-patient", help="Continue if the Patient IDs of --prior differ.")
]


def read_prior(
    volume: Volume,
    path: Path | None,
    kind: Kind,
    same_positions: bool,
    other_patient: bool,
    gaps: Gaps,
) -> tuple[Volume | None, Pairing | None]:
    """The image of ``--prior`` and its registration to an image; prints notes to stderr."""
    import napari_medvlm as nmv
    from napari_medvlm.data.geometry.pairing import PairingKind
    from napari_medvlm.sessions.register import require_same_patient

    if path is None:
        return None, None
    prior = read_image(path, gaps=gaps)
    if min(volume.shape) == min(prior.shape) == 1:
        require_same_patient(volume, prior, other_patient)
        print_note("Single slices are not registered; both are sent as they are.")
        return prior, None
    wanted = PairingKind.IDENTITY if same_positions else PairingKind(kind.value)
    with interruptible_progress() as progress:
        pairing = nmv.register(
            volume, prior, wanted, other_patient=other_patient, progress=progress
        )
    for note in pairing.notes:
        print_note(note)
    return prior, pairing


def summary(pairing: Pairing, read_notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """A pairing as JSON has it, with the notes on how its images were read; each note once."""
    return {
        "kind": pairing.kind.value,
        "affine_mm": pairing.affine_mm.tolist(),
        "metric_before": pairing.metric_before,
        "metric_after": pairing.metric_after,
        "overlap": pairing.overlap,
        "seconds": round(pairing.seconds, 2),
        "notes": list(dict.fromkeys((*pairing.notes, *read_notes))),
    }


def _text(pairing: Pairing) -> str:
    rows = "\n".join(" ".join(f"{v:10.4f}" for v in row) for row in pairing.affine_mm)
    return (
        f"{pairing.kind.value}, {pairing.seconds:.1f} s\n"
        f"mutual information {pairing.metric_before or 0:.3f} before, "
        f"{pairing.metric_after or 0:.3f} after; bodies overlap {pairing.overlap or 0:.0%}\n{rows}"
    )
