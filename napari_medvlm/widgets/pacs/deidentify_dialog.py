"""How a series is to be written without the patient's identity, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_medvlm.io.archive.base import Progress
from napari_medvlm.io.dicom_objects.deidentification_profile import Keep
from napari_medvlm.io.dicom_objects.deidentify import Exported, deidentify
from napari_medvlm.widgets.parts.dialogs import ask_where_to_save

ABOUT = (
    "The patient's name, ID and all other attributes of the DICOM basic profile are "
    "removed or replaced; dates are shifted. Pixels are not changed: burned-in text, "
    "and the face in a head scan, remain."
)


@dataclass(frozen=True)
class DeidentifyOptions:
    """The user's choice."""

    folder: Path
    seed: str | None
    keep: Keep

    def export(self, source: Path, series: str, progress: Progress) -> Exported:
        """Write the series; takes a while."""
        return deidentify(
            source, self.folder, series=series, seed=self.seed, keep=self.keep, progress=progress
        )


class DeidentifyDialog(QDialog):
    """Asks; with OK, and then a new folder, ``write`` is called."""

    def __init__(self, parent: QWidget, write: Callable[[DeidentifyOptions], None]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("De-identified copy")
        self._write = write
        about = QLabel(ABOUT)
        about.setWordWrap(True)
        self.characteristics = QCheckBox("Keep sex, age, size and weight (SUV needs weight)")
        self.descriptions = QCheckBox("Keep descriptions and object names")
        self.descriptions.setToolTip("Free text: review before sharing.")
        self.seed = QLineEdit()
        self.seed.setEchoMode(QLineEdit.EchoMode.Password)
        self.seed.setPlaceholderText("Optional; without it, pseudonyms are random")
        self.seed.setToolTip(
            "The same secret gives the same IDs and date shift again, for example for "
            "more series of a study."
        )
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self._choose_folder)
        self.buttons.rejected.connect(self.reject)
        layout = QFormLayout(self)
        for part in (about, self.characteristics, self.descriptions):
            layout.addRow(part)
        layout.addRow("Secret", self.seed)
        layout.addRow(self.buttons)

    def _choose_folder(self) -> None:
        folder = ask_where_to_save(self, "New folder", "deidentified", "Folder (*)")
        if folder is None:
            return
        keep = Keep(self.characteristics.isChecked(), self.descriptions.isChecked())
        self._write(DeidentifyOptions(folder, self.seed.text().strip() or None, keep))
        self.accept()
