"""What a model that is added is called, and who runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_medvlm.backends import registry
from napari_medvlm.widgets.runtime.notify import guarded


class AddModel(QDialog):
    """Asks for the backend and a name, and does not stop the window.

    Parameters
    ----------
    parent
        Over which it stands.
    path
        The model's file or folder.
    backend
        The one that is likely; empty if none is.
    accepted
        Called with the backend and the name.
    """

    def __init__(
        self, parent: QWidget, path: Path, backend: str, accepted: Callable[[str, str], object]
    ) -> None:
        super().__init__(parent.window())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Add a model")
        self.backend = QComboBox()
        self.backend.setToolTip("Backend that loads the model.")
        for name in registry.names():
            info = registry.info(name)
            if info.weights_licence != "none":
                self.backend.addItem(info.title, name)
        self.backend.setCurrentIndex(max(self.backend.findData(backend), 0))
        self.name = QLineEdit(path.name)
        self.name.setToolTip("Name used here and on the command line.")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(
            guarded(lambda: accepted(self.backend.currentData(), self.name.text()))
        )
        path_label = QLabel(str(path))
        path_label.setTextFormat(Qt.TextFormat.PlainText)
        path_label.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(path_label)
        form.addRow("Backend", self.backend)
        form.addRow("Name", self.name)
        form.addRow(self.buttons)
