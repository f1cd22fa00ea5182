"""What is measured of all objects, and distances and angles: a table each, and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.measurements.measure import Diameters, Ends
from napari_medvlm.data.measurements.ruler import Ruler, write_rulers
from napari_medvlm.data.measurements.table import COLUMNS, Row, write_csv
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.layers.ruler_layer import RulerLayer
from napari_medvlm.sessions.export.measurements import Measurements
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.other_docks import evaluations_of
from napari_medvlm.widgets.parts import dialogs
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.widgets.segment.value_table import ValueTable

if TYPE_CHECKING:
    from napari import Viewer

RULERS = ("name", "length_mm", "angle_deg")


class MeasurePanel(QWidget):
    """Tables of the session that `bind` sets. Objects are measured only while it is seen.

    Parameters
    ----------
    viewer
        Where distances and angles are drawn.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._measurements: Measurements | None = None
        self._lines: RulerLayer | None = None
        self._busy = self._again = False
        self.rows: Mapping[int, Row] = {}
        self.objects = ValueTable(
            COLUMNS, "All measurements; sizes in mm along the patient's S, P, L axes."
        )
        self.rulers = ValueTable(RULERS, "Drawn distances and angles.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.objects)
        layout.addLayout(self._file_row())
        layout.addLayout(self._tool_row())
        layout.addWidget(self.rulers)

    def bind(self, session: SegmentationSession | None) -> None:
        """Measure objects of a session from now on."""
        if self._lines is not None:
            self._lines.close()
        self._measurements = None if session is None else Measurements(session)
        self._lines = (
            None if session is None else RulerLayer(self._viewer, session.volume, self._show_rulers)
        )
        self._busy = self._again = False
        self._show({})
        self._show_rulers()
        self.refresh()

    def refresh(self) -> None:
        """Measure what has changed, off this thread, if the table is seen."""
        measurements = self._measurements
        if measurements is None or not self.isVisible():
            return
        if self._busy:
            self._again = True
            return
        self._busy = True
        in_background(
            lambda: (measurements, measurements.rows()), guarded(lambda d: self._on_rows(*d))
        )

    @property
    def rulers_drawn(self) -> tuple[Ruler, ...]:
        """All distances and angles."""
        return () if self._lines is None else self._lines.rulers

    def copy(self) -> None:
        """Put the table on the clipboard, as spreadsheets take it."""
        lines = ["\t".join(COLUMNS)]
        lines += [
            "\t".join(str(v) for v in object_row.values.values())
            for object_row in self.rows.values()
        ]
        QApplication.clipboard().setText("\n".join(lines))

    def export_csv(self) -> None:
        """Ask for a file and write the objects; lines and angles go into a second one."""
        measurements = self._required()
        name = f"{measurements.session.volume.name}_measurements.csv"
        path = dialogs.ask_where_to_save(self, "Export measurements", name, "Table (*.csv)")
        if path is not None:
            rulers = self.rulers_drawn
            self._write(lambda: _write_tables(path, measurements, rulers))

    def export_report(self) -> None:
        """Ask for a file and write a DICOM report with its segmentation."""
        measurements = self._required()
        name = f"{measurements.session.volume.name}_report.dcm"
        path = dialogs.ask_where_to_save(self, "Export report", name, "DICOM report (*.dcm)")
        if path is not None:
            evaluations = evaluations_of(self._viewer, measurements.session.ledger.image)
            rulers = self.rulers_drawn
            self._write(lambda: measurements.write_report(path, evaluations, rulers))

    def draw(self, mode: str) -> None:
        """Have the mouse draw lines or angles, in one of napari's modes."""
        self._required_lines().draw(mode)

    def draw_diameters(self) -> None:
        """Draw the active object's longest axial diameter and the one across it."""
        measurements = self._required()
        object_id = measurements.session.active
        if object_id is None:
            raise InvalidPrompt("No object is active.", "Select an object in the list first.")
        name = measurements.session.now.objects[object_id].info.name

        def work() -> tuple[Measurements, str, Diameters]:
            return measurements, name, measurements.diameters(object_id)

        in_background(work, guarded(lambda done: self._on_diameters(*done)))

    def _on_diameters(
        self, measurements: Measurements, name: str, object_diameters: Diameters
    ) -> None:
        if measurements is not self._measurements:
            return
        if object_diameters.longest_ends is None or object_diameters.perpendicular_ends is None:
            raise InvalidPrompt(f"{name} is empty.", "Add a prompt inside the object.")
        lines = self._required_lines()
        lines_by_name = {
            "longest axial": object_diameters.longest_ends,
            "perpendicular": object_diameters.perpendicular_ends,
        }
        for what, ends in lines_by_name.items():
            lines.forget(f"{name}, {what}")
            lines.add(f"{name}, {what}", ends)
        go_to(
            self._viewer,
            _crossing(object_diameters.longest_ends, object_diameters.perpendicular_ends),
        )

    def _on_rows(self, measurements: Measurements, rows: Mapping[int, Row]) -> None:
        if measurements is not self._measurements:
            return
        self._busy = False
        self._show(rows)
        if self._again:
            self._again = False
            self.refresh()

    def _show(self, rows: Mapping[int, Row]) -> None:
        if rows == self.rows and rows:
            return
        self.rows = rows
        self.objects.show_rows([list(object_row.values.values()) for object_row in rows.values()])

    def _show_rulers(self) -> None:
        drawn = [[r.name, r.length_mm, r.angle_deg] for r in self.rulers_drawn]
        self.rulers.show_rows(drawn)

    def _write(self, work: Callable[[], Sequence[Path]]) -> None:
        in_background(
            work, guarded(lambda done: show_message("Saved: " + ", ".join(p.name for p in done)))
        )

    def _required(self) -> Measurements:
        if self._measurements is None:
            raise InvalidPrompt("No image is open.", "Open an image and choose it in the dock.")
        return self._measurements

    def _required_lines(self) -> RulerLayer:
        self._required()
        assert self._lines is not None
        return self._lines

    def _file_row(self) -> QHBoxLayout:
        return _buttons(
            ("Copy", "Copy the table to the clipboard.", self.copy),
            (
                "CSV…",
                "Save the table; distances and angles go into a second file.",
                self.export_csv,
            ),
            ("DICOM SR…", "Save a DICOM SR report and its segmentation.", self.export_report),
        )

    def _tool_row(self) -> QHBoxLayout:
        return _buttons(
            ("Distance", "Drag a line to measure its length.", lambda: self.draw("add_line")),
            (
                "Angle",
                "Click three points, the vertex second; double-click the third.",
                lambda: self.draw("add_polyline"),
            ),
            (
                "RECIST lines",
                "Draw the active object's longest axial diameter and its perpendicular.",
                self.draw_diameters,
            ),
        )


def _write_tables(
    path: Path, measurements: Measurements, rulers: Sequence[Ruler]
) -> tuple[Path, ...]:
    write_csv(path, list(measurements.rows().values()))
    if not rulers:
        return (path,)
    lines_path = path.with_name(f"{path.stem}_lines.csv")
    write_rulers(lines_path, rulers)
    return path, lines_path


def _crossing(longest: Ends, across: Ends) -> list[float]:
    """Where two lines at a right angle meet: a plane through it shows both."""
    (first, other), other_end = np.array(longest), np.array(across[0])
    along = (other - first) / max(float(np.linalg.norm(other - first)), 1e-9)
    crossing: list[float] = (first + (other_end - first) @ along * along).tolist()
    return crossing


def _buttons(*actions: tuple[str, str, Callable[[], None]]) -> QHBoxLayout:
    row = QHBoxLayout()
    for text, tooltip, action in actions:
        object_row = button(text, tooltip)
        on_click(object_row, action)
        row.addWidget(object_row)
    return row
