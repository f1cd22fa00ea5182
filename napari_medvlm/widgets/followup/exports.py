"""Writing the table and the reports of a follow-up to files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_medvlm.backends.base import Progress
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.review import LesionReview
from napari_medvlm.sessions.followup.study_reports import write_reports
from napari_medvlm.widgets.parts.dialogs import ask_where_to_save
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.runtime.notify import show_message


def export_table(parent: QWidget, result: FollowUp) -> None:
    """Ask for a file and write the table."""
    path = ask_where_to_save(parent, "Export the table", "lesions.csv", "Table (*.csv)")
    if path is not None:
        result.write_csv(path)


def export_reports(parent: QWidget, job: JobBar, review: LesionReview, result: FollowUp) -> None:
    """Ask for a folder, and write a segmentation and a report of each study there."""
    folder = QFileDialog.getExistingDirectory(parent, "Folder for the reports")
    if not folder:
        return
    studies = review.studies

    def work(_: Progress) -> tuple[Path, ...]:
        return write_reports(Path(folder), result, studies.current, studies.prior, review.labels)

    job.start(work, lambda paths: show_message(f"Saved {len(paths)} files."), "Writing reports")
