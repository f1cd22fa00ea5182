"""The objects of a session as DICOM: a segmentation, outlines, a report of what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.measurements.table import row
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import Segment, write_segments
from napari_medvlm.io.dicom_objects.rtstruct_write import SUFFIX as STRUCTURES
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.sessions.export.masks import segments_of, with_weights
from napari_medvlm.sessions.segment.session import SegmentationSession


@dataclass(frozen=True, eq=False)
class Results:
    """What a session has to give, as it was when it was asked: may go to another thread.

    Parameters
    ----------
    masks
        ``(z, y, x)`` bool of each object that has voxels, numbered from 1.
    segments
        The description of each.
    evaluations
        What else was found and answered, for the report.
    rulers
        Distances and angles that were drawn, for the report.
    """

    volume: Volume
    masks: Mapping[int, NDArray[np.bool_]]
    segments: Mapping[int, Segment]
    evaluations: tuple[Evaluation, ...] = ()
    rulers: tuple[Ruler, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the objects."""
        return tuple(segment.name for segment in self.segments.values())

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write a segmentation, a report that refers to it, and a structure set.

        Raises
        ------
        CannotSave
            If the image is not from a DICOM series, or a file cannot be written.
        """
        seg, report = folder / "segmentation.dcm", folder / "measurements.dcm"
        structures = folder / f"structures{STRUCTURES}"
        segments = with_weights(self.segments)
        for path in (seg, structures):
            write_segments(path, self.masks, self.volume, segments)
        measured = {
            n: dict(row(self.segments[n].name, Mask.of(mask), self.volume).values)
            for n, mask in self.masks.items()
        }
        write_sr(report, seg, measured, self.volume, self.evaluations, rulers=self.rulers)
        return seg, report, structures


def results_of(
    session: SegmentationSession,
    evaluations: tuple[Evaluation, ...] = (),
    rulers: tuple[Ruler, ...] = (),
) -> Results:
    """What a session has to give, and what else is to stand in its report.

    Raises
    ------
    CannotSave
        If nothing is segmented, or a mask is still on its way.
    """
    if session.pending or session.pending_prompts():
        raise CannotSave("A mask is still being computed.", "Wait until it is there.")
    masks = {i: session.belonging(i).full() for i in session.now.objects}
    segments = segments_of(session)
    there = [i for i in sorted(masks) if masks[i].any()]
    if not there:
        raise CannotSave("No object of this image has a mask.", "Segment something first.")
    return Results(
        session.volume,
        {n: masks[i] for n, i in enumerate(there, 1)},
        {n: segments[i] for n, i in enumerate(there, 1)},
        evaluations,
        rulers,
    )
