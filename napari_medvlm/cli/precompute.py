"""``prepare``: precompute slice embeddings before the first click."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Device,
    Frame,
    Image,
    Model,
    Series,
    Spacing,
    read_image,
)
from napari_medvlm.cli.output import interruptible_progress, print_note, print_result, report_errors
from napari_medvlm.io import Gaps


class PlaneName(StrEnum):
    """Anatomical planes, in the order of their normal axes S, P, L."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


def prepare(  # noqa: PLR0913  # one for each option
    image: Image,
    plane: Annotated[PlaneName, typer.Option(help="Plane to precompute.")] = PlaneName.AXIAL,
    backend: Annotated[str, typer.Option(help="Slice-based backend to use.")] = "sam",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Precompute the embeddings of all slices of a plane, so that clicks are fast.

    Embeddings are stored on disk. Ctrl-C stops; finished slices stay.
    """
    from napari_medvlm.data.geometry.display import patient_axes
    from napari_medvlm.sessions.request_sender import ModelChoice
    from napari_medvlm.sessions.segment.precompute import prepare_plane, stored_mib
    from napari_medvlm.worker.runner import InlineRunner

    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        axis = patient_axes(volume.grid.affine)[list(PlaneName).index(plane)]
        slices, megabytes = volume.shape[axis], stored_mib(backend, volume, axis) * 2**20 / 1e6
        if megabytes:
            print_note(f"{slices} slices, up to {megabytes:.0f} MB on disk")
        start = time.perf_counter()
        with interruptible_progress() as progress, InlineRunner() as runner:
            done = prepare_plane(
                volume, axis, ModelChoice(backend, model, device), runner, progress
            )
        seconds = round(time.perf_counter() - start, 2)
        summary = {
            "slices": slices,
            "computed": done.computed,
            "seconds": seconds,
            "notes": [*volume.notes, *done.notes],
        }
        message = f"{slices} slices prepared, {done.computed} new; {seconds} s"
        print_result(summary, as_json, lambda: "\n".join([message, *done.notes]))
