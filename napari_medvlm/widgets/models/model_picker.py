"""Which model a backend runs, and where."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.backends.models.download import is_hub_id
from napari_medvlm.widgets.models.download_bar import DownloadBar
from napari_medvlm.widgets.parts.buttons import button, on_click


class ModelRow(QWidget):
    """A model's file, folder or hub name, a way to download it, and the device that it runs on.

    Attributes
    ----------
    chosen
        Another model or device was chosen.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._emitted: tuple[str | None, str] = (None, "cpu")
        self._backend = ""
        self._named: dict[str, str] = {}
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("A name, file or folder")
        self.edit.setToolTip(
            "A name from the Models dock, a file or folder on this computer, or a model"
            " id on the Hugging Face Hub. Models are downloaded only on request."
        )
        self.device_box = QComboBox()
        self.device_box.addItems(["cpu", "cuda", "mps"])
        self.device_box.setToolTip("Device: CPU, NVIDIA GPU or Apple GPU.")
        self.download = button("Download…", "Show the model's licence and size, then download it.")
        self.download_bar = DownloadBar()
        choose = button("…", "Choose a model folder or file.")
        choose.setFixedWidth(44)  # with the arrow of its menu
        menu = QMenu(self)
        menu.addAction("Folder…", self._choose_folder)
        menu.addAction("File…", self._choose_file)
        choose.setMenu(menu)
        self.download.setMinimumWidth(0)  # as wide as its text
        for widget in (self.download, self.device_box):
            widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout()
        for widget in (self.edit, choose, self.download, self.device_box):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.download_bar)
        self.edit.textChanged.connect(self._refresh)
        self.edit.editingFinished.connect(self._notify)
        self.device_box.activated.connect(lambda _: self._notify())
        self.download_bar.busy_changed.connect(self._refresh)
        on_click(self.download, self._ask)
        self._refresh()

    @property
    def model(self) -> str | None:
        """The file, folder or name; `None` for the backend's own, or if it has no models."""
        return (self.edit.text().strip() or None) if self.isEnabled() else None

    @property
    def device(self) -> str:
        """As torch names it."""
        return str(self.device_box.currentText())

    def name(self, model: str) -> None:
        """Name a model without emitting a signal."""
        self.edit.setText(model)
        self._emitted = (model or None), self.device

    def turn_to(self, backend: str) -> None:
        """Show what was last named for a backend: what is named for another is not its model."""
        if backend == self._backend:
            return
        self._named[self._backend] = self.edit.text()
        self._backend = backend
        self.edit.setText(self._named.get(backend, ""))
        self._emitted = self.model, self.device

    def _refresh(self) -> None:
        self.download.setEnabled(is_hub_id(self.model or "") and not self.download_bar.busy)

    def _ask(self) -> None:
        self.download_bar.ask(self.model or "")

    def _notify(self) -> None:
        if (self.model, self.device) != self._emitted:
            self._emitted = self.model, self.device
            self.chosen.emit()

    def _choose_folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, "Choose a model folder"))

    def _choose_file(self) -> None:
        self._take(QFileDialog.getOpenFileName(self, "Choose a model file")[0])

    def _take(self, path: str) -> None:
        if path:
            self.edit.setText(path)
            self._notify()
