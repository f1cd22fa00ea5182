"""Dialogs for files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

MASKS = (
    "NIfTI (*.nii.gz *.nii);;NRRD (*.nrrd);;MetaImage (*.mha);;DICOM segmentation (*.dcm)"
    ";;DICOM label map (*.labelmap.dcm);;DICOM structure set (*.rtstruct.dcm);;Surface (*.stl)"
)
TALKS = "Web page with pictures (*.html);;Markdown (*.md);;JSON (*.json)"
PAGES = "Web page with pictures (*.html)"
SESSIONS = "Session (*.json);;Journal (*.jsonl)"


def ask_where_to_save(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """Ask for a file to write; `None` if the person changed their mind."""
    path, _ = QFileDialog.getSaveFileName(parent, title, name, kinds)
    return Path(path) if path else None


def ask_what_to_open(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file to read; `None` if the person changed their mind."""
    path, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return Path(path) if path else None
