"""Questions about a DICOM folder: which series, and what to do where slices are missing."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.errors import IrregularSlices
from napari_medvlm.io.dicom.read import Gaps, SeriesInfo
from napari_medvlm.widgets.parts.plain_text import plain


class SeriesDialog(QDialog):
    """The series of a folder by name, the one with most images chosen.

    Parameters
    ----------
    infos
        What there is to choose from.
    """

    def __init__(self, infos: Sequence[SeriesInfo], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which series?")
        self._infos = infos
        self.list = QListWidget()
        largest = max(infos, key=lambda info: len(info.files))
        for info in infos:
            item = QListWidgetItem(str(info), self.list)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            chosen = Qt.CheckState.Checked if info is largest else Qt.CheckState.Unchecked
            item.setCheckState(chosen)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(f"The folder holds {len(infos)} series. Open:"))
        layout.addWidget(self.list)
        layout.addWidget(buttons)
        self.resize(520, 320)

    def chosen(self) -> list[SeriesInfo]:
        """The series that are checked."""
        rows = (self.list.item(row) for row in range(self.list.count()))
        checked = [item is not None and item.checkState() == Qt.CheckState.Checked for item in rows]
        return [info for info, on in zip(self._infos, checked, strict=True) if on]


def ask_series(infos: Sequence[SeriesInfo], parent: QWidget | None) -> list[SeriesInfo]:
    """Ask which series to open; none if the person changed their mind."""
    dialog = SeriesDialog(infos, parent)
    return dialog.chosen() if dialog.exec() else []


def ask_gaps(problem: IrregularSlices, name: str, parent: QWidget | None) -> Gaps:
    """Ask what to do about missing slices; `Gaps.REFUSE` if the person leaves it."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(name)
    box.setText(plain(problem.message))
    box.setInformativeText("Interpolated slices are computed, not acquired.")
    fill = box.addButton("Interpolate missing slices", QMessageBox.ButtonRole.AcceptRole)
    largest = box.addButton("Largest evenly spaced part", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Do not open", QMessageBox.ButtonRole.RejectRole)
    box.exec()
    chosen = {id(fill): Gaps.FILL, id(largest): Gaps.LARGEST}
    return chosen.get(id(box.clickedButton()), Gaps.REFUSE)
