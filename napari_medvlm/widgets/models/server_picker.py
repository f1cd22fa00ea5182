"""Which server answers, and by which of its models."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_medvlm.backends.openai_server.connection import joined, models_of
from napari_medvlm.data.errors import InvalidPrompt, MedVLMError
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background

EXAMPLE = "http://127.0.0.1:8000/v1"


class ServerRow(QWidget):
    """The address of an OpenAI-compatible server, and a list of its models, fetched on demand.

    Attributes
    ----------
    changed
        Another address or model stands there.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.device = "cpu"
        self.address = QLineEdit()
        self.address.setPlaceholderText(EXAMPLE)
        self.address.setToolTip(
            "Address of the server: vLLM, Ollama, llama.cpp, LM Studio, transformers. "
            "Images are sent to this computer and its private network; to other servers"
            " only after you allow it."
        )
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.name.setMinimumContentsLength(12)
        self.name.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.name.setToolTip("Model name as listed by the server; Models fetches the list.")
        edit = self.name.lineEdit()
        if edit is not None:
            edit.setPlaceholderText("The server's only model")
        self.fetch = button("Models", "List the models that the server offers.")
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.fetch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.address)
        layout.addLayout(row)
        self.address.textChanged.connect(lambda _: self.changed.emit())
        self.name.editTextChanged.connect(lambda _: self.changed.emit())
        on_click(self.fetch, self.fetch_models)

    @property
    def model(self) -> str | None:
        """Server and model in one text; `None` without an address."""
        address = self.address.text().strip()
        return joined(address, self.name.currentText().strip()) if address else None

    def fetch_models(self) -> None:
        """Ask the server for its models, off the window's thread, and offer them."""
        address = self.address.text().strip()
        if not address:
            raise InvalidPrompt("No server address is set.", f"Enter an address, such as {EXAMPLE}")
        self.fetch.setEnabled(False)
        in_background(
            lambda: _listed_models(address),
            guarded(lambda result: self._offer(address, *result)),
        )

    def _offer(self, address: str, names: list[str], problem: MedVLMError | None) -> None:
        self.fetch.setEnabled(True)
        if problem is not None:
            raise problem
        if address != self.address.text().strip():
            return
        before = self.name.currentText().strip()
        with QSignalBlocker(self.name):
            self.name.clear()
            self.name.addItems(names)
            self.name.setEditText(before if before in names or not names else names[0])
        self.changed.emit()
        show_message(f"The server offers {len(names)} model{'' if len(names) == 1 else 's'}.")


def _listed_models(address: str) -> tuple[list[str], MedVLMError | None]:
    """The models of a server, or what went wrong, which is shown where the button waits for it."""
    try:
        return models_of(address), None
    except MedVLMError as problem:
        return [], problem
