"""An evaluation of a whole data set, that can be stopped and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import Cancelled, InvalidReference, MedVLMError
from napari_medvlm.evaluation.runs.runner import crashed
from napari_medvlm.evaluation.runs.workers import Processes
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.evaluate import DataSet, evaluate, worst_in
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.summary import sure_words
from napari_medvlm.widgets.evaluate.open_case import show_case
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.parts.job_bar import JobBar, TimeLeft
from napari_medvlm.widgets.parts.path_edit import PathEdit
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari import Viewer

MANY_WORKERS = 64
TABLES = "Names (*.json *.tsv *.csv *.txt)"


class FolderPanel(QWidget):
    """Where the cases lie and where the run is kept; Run, progress, report and worst case.

    Parameters
    ----------
    plan
        Gives what the user is to do.
    """

    def __init__(self, viewer: Viewer, plan: Callable[[], Plan]) -> None:
        super().__init__()
        self._viewer = viewer
        self._plan = plan
        self._turn = Lock()  # one that was cancelled ends before the next begins
        self._outcome: tuple[Path | None, str] = (None, "")  # a folder, and what came of its run
        self.images = PathEdit("Data set, or its image folder.")
        self.labels = PathEdit("Label folder, if not in the standard location.")
        self.out = PathEdit("Output folder; an unfinished run there is resumed.")
        self.names = PathEdit("Table of label names: JSON, TSV, CSV or text.", TABLES)
        self.layout_box = QComboBox()
        for layout in Layout:
            self.layout_box.addItem(str(layout), layout)
        self.layout_box.setToolTip("Layout of the data set on disk.")
        self.structures = QLineEdit()
        self.structures.setPlaceholderText("All")
        self.structures.setToolTip("Structure names or label values, separated by commas.")
        self.patterns = QLineEdit("{case}"), QLineEdit("{case}")
        for edit, what in zip(self.patterns, ("images", "labels"), strict=True):
            edit.setToolTip(f"Pairs: file names of the {what}, such as {{case}}_t1.nii.gz.")
        self.workers = QSpinBox()
        self.workers.setRange(1, MANY_WORKERS)
        self.workers.setToolTip("Number of worker processes.")
        self.run_button = button("Run", "Segment all cases with the simulated user.")
        self.report_button = button("Open report", "Open the report in the browser.")
        self.worst_button = button(
            "Open worst case", "Open it here, with reference mask and prompts."
        )
        self.job = JobBar("Stop; finished cases remain, and Resume continues with the next.")
        self.text = WrappedLabel()
        self._lay_out()
        self._connect()
        self._look()

    def run(self) -> None:
        """Work on the cases that are not done yet."""
        data, out, number = self._data(), self.out.required(), self.workers.value()
        wanted = [text.strip() for text in self.structures.text().split(",") if text.strip()]
        plan = self._plan().model_copy(update={"structures": tuple(wanted)})
        left = TimeLeft()
        self._outcome = (None, "")

        def work(progress: Progress) -> dict[str, Any]:
            def report(fraction: float, message: str = "") -> None:
                progress(fraction, ", ".join(filter(None, (message, left.words(fraction)))))

            try:
                with self._turn:
                    return evaluate(data, plan, out, Processes(number, crashed), report)
            except Cancelled:
                raise
            except MedVLMError as error:
                self._outcome = out, str(error)  # stays when the notification is gone
                raise

        self.job.start(work, self._on_done, "Searching for cases")

    def cancel(self) -> None:
        """Stop; cases that are done stay."""
        if self.job.busy:
            self.job.cancel()

    def open_report(self) -> None:
        """Show the report in the browser."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.out.required() / "report.html")))

    def open_worst(self) -> None:
        """Show the case with the lowest Dice after its last interaction in the viewer."""
        out = self.out.required()
        worst = worst_in(out)
        if worst is None:
            raise InvalidReference(f"{out} has no finished cases.", "Press Run first.")
        show_case(self._viewer, out, *worst)

    def _data(self) -> DataSet:
        image_pattern, label_pattern = (edit.text().strip() or "{case}" for edit in self.patterns)
        return DataSet(
            self.layout_box.currentData(),
            self.images.required(),
            self.labels.path,
            self.names.path,
            patterns=(image_pattern, label_pattern),
        )

    def _on_done(self, summary: dict[str, Any]) -> None:
        lines = [
            f"{name}: Dice {of['dice'][0]:.3f} after 1, {of['dice'][-1]:.3f} after "
            f"{len(of['dice'])} interactions{sure_words(of)}"
            for name, of in (*summary["structures"].items(), ("Mean", summary["mean"]))
            if of
        ]
        lines += [
            f"Skipped {skipped['case']}: {skipped['reason']}" for skipped in summary["skipped"]
        ]
        self._outcome = self.out.path, "\n".join(lines)
        self._look()

    def _look(self) -> None:
        """Offer what the folder of the run has."""
        out = self.out.path
        done = 0 if out is None else len(list((out / "cases").glob("[!.]*.json")))
        busy = self.job.busy
        self.run_button.setText("Resume" if done and not self._has_report() else "Run")
        self.run_button.setEnabled(not busy)
        self.report_button.setEnabled(self._has_report() and not busy)
        self.worst_button.setEnabled(bool(done) and not busy)
        if not busy:
            cases = "1 case" if done == 1 else f"{done} cases"
            counted = f"{cases} done in this folder." if done else ""
            self.text.show_text(self._outcome[1] if self._outcome[0] == out else counted)

    def _has_report(self) -> bool:
        return self.out.path is not None and (self.out.path / "report.html").is_file()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Images", self.images)
        form.addRow("Labels", self.labels)
        form.addRow("Data set", self.layout_box)
        form.addRow("Run folder", self.out)
        more = QWidget()
        fold = QFormLayout(more)
        fold.setContentsMargins(0, 0, 0, 0)
        fold.addRow("Structures", self.structures)
        fold.addRow("Names", self.names)
        fold.addRow("Image files", self.patterns[0])
        fold.addRow("Label files", self.patterns[1])
        fold.addRow("Processes", self.workers)
        buttons = QHBoxLayout()
        for widget in (self.run_button, self.report_button, self.worst_button):
            buttons.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(Collapsible("More", "Structures, file names, number of processes.", more))
        layout.addLayout(buttons)
        layout.addWidget(self.job)
        layout.addWidget(self.text)
        layout.addStretch()

    def _connect(self) -> None:
        on_click(self.run_button, self.run)
        on_click(self.report_button, self.open_report)
        on_click(self.worst_button, self.open_worst)
        self.out.changed.connect(guarded(self._look))
        self.job.busy_changed.connect(guarded(self._look))
