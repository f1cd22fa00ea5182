"""Which model a backend runs, and where."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QWidget

from napari_medvlm.widgets.buttons import button


class ModelRow(QWidget):
    """A model's folder or hub name, and the device that it runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("The backend's own")
        self.edit.setToolTip(
            "A folder on this computer, or the name of a model that is already downloaded. "
            "Nothing is downloaded unasked."
        )
        self.device_box = QComboBox()
        self.device_box.addItems(["cpu", "cuda", "mps"])
        self.device_box.setToolTip("Where it runs: processor, NVIDIA or Apple graphics card.")
        choose = button("…", "Choose a model's folder.")
        choose.setMaximumWidth(30)
        choose.clicked.connect(self._choose)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.edit, choose, self.device_box):
            layout.addWidget(widget)

    @property
    def model(self) -> str | None:
        """The folder or name; `None` for the backend's own."""
        return self.edit.text().strip() or None

    @property
    def device(self) -> str:
        """As torch names it."""
        return str(self.device_box.currentText())

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose a model's folder")
        if folder:
            self.edit.setText(folder)
