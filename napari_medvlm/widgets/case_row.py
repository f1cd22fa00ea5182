"""Where the results of cases are written, and how."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QWidget

from napari_medvlm.sessions.cases.case_list import MaskFormat
from napari_medvlm.widgets.buttons import button, on_click


class ResultsRow(QWidget):
    """A folder and a format.

    Attributes
    ----------
    changed
        The folder as a text and the `MaskFormat` that a person chose.
    """

    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.folder = ""
        self.format = QComboBox()
        self.format.setToolTip("How masks are written; SEG needs images from DICOM.")
        for each in MaskFormat:
            self.format.addItem(each.value, each)
        self.told = QLabel()
        self.choose = button("Results…", "The folder for masks, sessions and measurements.")
        on_click(self.choose, self.ask)
        self.format.currentIndexChanged.connect(lambda _: self._tell())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choose)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.format)
        self.show_place("", MaskFormat.NIFTI)

    def show_place(self, folder: str, masks: MaskFormat) -> None:
        """Show what a list says."""
        self.folder = folder
        with QSignalBlocker(self.format):
            self.format.setCurrentIndex(list(MaskFormat).index(masks))
        self.told.setText(Path(folder).name if folder else "no folder chosen")
        self.told.setToolTip(folder)

    def ask(self) -> None:
        """Ask for the folder."""
        folder = QFileDialog.getExistingDirectory(self, "Results of cases", self.folder)
        if folder:
            self.show_place(folder, self.format.currentData())
            self._tell()

    def _tell(self) -> None:
        self.changed.emit(self.folder, self.format.currentData())
