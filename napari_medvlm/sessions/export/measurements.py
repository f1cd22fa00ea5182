"""All measurements of a session's objects, made again only where a mask has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from napari_medvlm.data.measurements.measure import Diameters, diameters
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.measurements.table import Row, row
from napari_medvlm.io import write_segments
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.sessions.export.masks import segments_of, with_weights
from napari_medvlm.sessions.segment.session import SegmentationSession


class Measurements:
    """The rows of a session's table. Not for the window's thread: surfaces take a moment."""

    def __init__(self, session: SegmentationSession) -> None:
        self.session = session
        self._known: dict[int, tuple[str, Row]] = {}

    def rows(self) -> Mapping[int, Row]:
        """The row of each live object, by its id."""
        session, rows = self.session, {}
        for object_id, live in session.now.objects.items():
            mask = session.belonging(object_id)
            digest, name = mask.digest, live.info.name
            known = self._known.get(object_id)
            if known is None or known[0] != digest:
                known = digest, row(name, mask, session.volume)
            rows[object_id] = digest, replace(known[1], name=name)
        self._known = rows
        return {object_id: table_row for object_id, (_, table_row) in rows.items()}

    def diameters(self, object_id: int) -> Diameters:
        """The longest axial diameter of an object and that across it, with their ends."""
        mask = self.session.belonging(object_id)
        return diameters(mask, self.session.volume.affine)

    def write_report(
        self,
        path: Path,
        evaluations: Sequence[Evaluation] = (),
        rulers: Sequence[Ruler] = (),
    ) -> tuple[Path, ...]:
        """Write a DICOM report, and next to it the segmentation of its objects, if it has any.

        Parameters
        ----------
        evaluations
            What else was found and answered.
        rulers
            Distances and angles that were drawn.

        Returns
        -------
        The files.

        Raises
        ------
        CannotSave
            If the image is not from a DICOM series, or a file cannot be written.
        """
        session = self.session
        rows = {
            i: dict(table_row.values) for i, table_row in self.rows().items() if table_row.voxels
        }
        if not rows and (evaluations or rulers):
            write_sr(path, None, rows, session.volume, evaluations, rulers=rulers)
            return (path,)
        seg = path.with_name(f"{path.stem}_seg.dcm")
        masks = {i: session.belonging(i).full() for i in rows}
        write_segments(seg, masks, session.volume, with_weights(segments_of(session)))
        write_sr(path, seg, rows, session.volume, evaluations, rulers=rulers)
        return path, seg
