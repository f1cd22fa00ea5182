"""``prepare``: what a model needs of all slices, computed before the first click."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from napari_medvlm.cli.options import AsJson, Device, Frame, Image, Model, Series, Spacing, opened
from napari_medvlm.cli.output import print_result, report_errors, shown


class PlaneName(StrEnum):
    """The planes, in the order of the patient's axes S, P, L that their slices are across."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


def prepare(  # noqa: PLR0913  # one for each option
    image: Image,
    plane: Annotated[PlaneName, typer.Option(help="Whose slices.")] = PlaneName.AXIAL,
    backend: Annotated[str, typer.Option(help="Who segments slice by slice.")] = "sam",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Have a model look at all slices of a plane, so that each click is quick afterwards.

    What it has seen is kept on disk. Ctrl-C stops it, and what is done stays.
    """
    from napari_medvlm.data.geometry.display import patient_axes
    from napari_medvlm.sessions.request_sender import ModelChoice
    from napari_medvlm.sessions.segment.precompute import kept_mib, prepare_plane
    from napari_medvlm.worker.runner import InlineRunner

    with report_errors():
        volume = opened(image, spacing, series=series, frame=frame)
        axis = patient_axes(volume.grid.affine)[list(PlaneName).index(plane)]
        slices, megabytes = volume.shape[axis], kept_mib(backend, volume, axis) * 2**20 / 1e6
        if megabytes:
            typer.echo(f"{slices} slices, up to {megabytes:.0f} MB on disk", err=True)
        start = time.perf_counter()
        with shown() as progress, InlineRunner() as runner:
            done = prepare_plane(
                volume, axis, ModelChoice(backend, model, device), runner, progress
            )
        seconds = round(time.perf_counter() - start, 2)
        summary = {
            "slices": slices,
            "computed": done.computed,
            "seconds": seconds,
            "notes": list(done.notes),
        }
        said = f"{slices} slices are prepared, {done.computed} of them new; {seconds} s"
        print_result(summary, as_json, lambda: "\n".join([said, *done.notes]))
