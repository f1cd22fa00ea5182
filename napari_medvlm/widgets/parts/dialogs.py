"""Dialogs for files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_medvlm.widgets.parts.buttons import on_click

MASKS = (
    "NIfTI (*.nii.gz *.nii);;NRRD (*.nrrd);;MetaImage (*.mha);;DICOM segmentation (*.dcm)"
    ";;DICOM label map (*.labelmap.dcm);;DICOM structure set (*.rtstruct.dcm);;Surface (*.stl)"
)
TALKS = "Web page with images (*.html);;Markdown (*.md);;JSON (*.json)"
PAGES = "Web page with images (*.html)"
SESSIONS = "Session (*.json);;Journal (*.jsonl)"


def ask_where_to_save(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """Ask for a file to write; `None` if the person changed their mind."""
    path, _ = QFileDialog.getSaveFileName(parent, title, name, kinds)
    return Path(path) if path else None


def ask_what_to_open(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file to read; `None` if the person changed their mind."""
    path, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return Path(path) if path else None


def ask(  # the parts of a question
    parent: QWidget,
    title: str,
    text: str,
    accept: str,
    action: Callable[[], object],
    other: tuple[str, Callable[[], object]] | None = None,
) -> None:
    """Ask, and do something if the person says so; Cancel is what Enter presses.

    Parameters
    ----------
    text
        In HTML: what others wrote must be escaped.
    accept
        On the button that goes on.
    other
        Another button, and what it does.
    """
    box = QMessageBox(parent.window())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.RichText)
    box.setText(text)
    accepted = box.addButton(accept, QMessageBox.ButtonRole.AcceptRole)
    if other is not None:
        on_click(box.addButton(other[0], QMessageBox.ButtonRole.ActionRole), other[1])
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    on_click(accepted, action)
    box.open()
