"""Dialogs for files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_medvlm.data.volume import Volume
from napari_medvlm.widgets.parts.buttons import on_click

MASKS = (
    "NIfTI (*.nii.gz *.nii);;NRRD (*.nrrd);;MetaImage (*.mha);;DICOM segmentation (*.dcm)"
    ";;DICOM label map (*.labelmap.dcm);;DICOM structure set (*.rtstruct.dcm);;Surface (*.stl)"
)
TALKS = "Web page with images (*.html);;Markdown (*.md);;JSON (*.json)"
PAGES = "Web page with images (*.html)"
SESSION = "Session (*.json)"
SESSIONS = f"{SESSION};;Journal (*.jsonl)"


def proposed_masks(volume: Volume) -> tuple[str, str]:
    """The file name to propose for masks of an image, and the filters, that of the name first.

    A DICOM segmentation for a DICOM series, a NIfTI file for any other image.
    """
    if not volume.series:
        return f"{volume.name}_mask.nii.gz", MASKS
    filters = MASKS.split(";;")
    filters.sort(key=lambda text: "segmentation" not in text)  # stable
    return f"{volume.name}_mask.dcm", ";;".join(filters)


def ask_where_to_save(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """Ask for a file to write; `None` if the person changed their mind.

    Parameters
    ----------
    name
        The file name that is proposed.
    kinds
        Filters of the dialog, separated by ``;;``. The file gets the ending of the chosen filter,
        or of the first, unless the name typed ends with one of them.
    """
    chosen, kind = QFileDialog.getSaveFileName(parent, title, name, kinds)
    if not chosen:
        return None
    path = Path(chosen)
    complete = path.with_name(with_ending(path.name, name, kind, kinds))
    # The dialog has asked about replacing the file without the ending only.
    if complete != path and complete.exists() and not _may_replace(parent, title, complete):
        return None
    return complete


def with_ending(typed: str, proposed: str, kind: str, kinds: str) -> str:
    """The name of a file with an ending that its filter allows.

    Parameters
    ----------
    typed, proposed
        The name chosen in the dialog, and the one that the dialog began with. Only an ending that
        was typed is left when another filter is chosen.
    kind
        The chosen filter, as ``"NIfTI (*.nii.gz *.nii)"``; empty if the system does not report it.
    kinds
        All filters.
    """
    wanted = _endings(kind or kinds.split(";;")[0])
    known = sorted((e for k in kinds.split(";;") for e in _endings(k)), key=len, reverse=True)
    own = next((ending for ending in known if typed.lower().endswith(ending)), "")
    if not wanted or own in wanted:
        return typed
    is_typed = typed != proposed and not wanted[0].endswith(own or " ")
    if own and (is_typed or not kind):
        return typed
    return typed[: len(typed) - len(own)] + wanted[0]


def _endings(kind: str) -> tuple[str, ...]:
    """The endings of a filter, as ``(".nii.gz", ".nii")``; none if it allows all files."""
    patterns = kind.rpartition("(")[2].rstrip(")").split()
    return tuple(pattern[1:] for pattern in patterns if len(pattern) > 2)


def _may_replace(parent: QWidget, title: str, path: Path) -> bool:
    text = f"{path.name} already exists. Do you want to replace it?"
    return bool(QMessageBox.question(parent, title, text) == QMessageBox.StandardButton.Yes)


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
