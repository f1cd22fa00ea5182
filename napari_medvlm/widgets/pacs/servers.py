"""Which archive is worked with, and signing in to it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QWidget,
)

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import Archive
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.folder_archive import DicomTree
from napari_medvlm.io.archive.servers import Login, Server, forget, keep_login, remember, servers
from napari_medvlm.settings.allowed_hosts import origin
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background


class ServerForm(QDialog):
    """A few lines of text to fill in; nothing happens before OK.

    Attributes
    ----------
    filled
        The texts, in the order of the fields.
    """

    filled = Signal(list)

    def __init__(self, title: str, hint: str, fields: dict[str, bool], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        self.buttons.accepted.connect(self._on_ok)
        self.buttons.rejected.connect(self.reject)
        hint_label = PlainLabel(hint)
        hint_label.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(hint_label)
        self.edits = [QLineEdit() for _ in fields]
        for edit, (name, hidden) in zip(self.edits, fields.items(), strict=True):
            if hidden:
                edit.setEchoMode(QLineEdit.EchoMode.Password)
            form.addRow(name, edit)
        form.addRow(self.buttons)
        self.resize(460, 0)

    def _on_ok(self) -> None:
        self.filled.emit([edit.text().strip() for edit in self.edits])
        self.accept()


class ServerRow(QWidget):
    """The archives that are remembered, and buttons to add one, to sign in and to forget one.

    Attributes
    ----------
    chosen
        Another archive was chosen, or none.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.archive: Archive | None = None
        self.list = QComboBox()
        self.list.setToolTip("PACS or folder to search.")
        self.list.setPlaceholderText("Add a server or a folder")
        self.add = button("Add…", "Add a PACS by its DICOMweb address.")
        self.folder = button("Folder…", "Search a folder and its subfolders like a PACS.")
        self.sign_in = button("Sign in…", "Sign in with a user and password, or a token.")
        self.forget = button("Remove", "Remove this server from the list.")
        for pressed, action in (
            (self.add, self._ask_server),
            (self.folder, self._ask_folder),
            (self.sign_in, self._ask_login),
            (self.forget, self._forget),
        ):
            on_click(pressed, action)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list, 1)
        for widget in (self.add, self.folder, self.sign_in, self.forget):
            layout.addWidget(widget)
        self._fill()
        self.list.currentIndexChanged.connect(guarded(lambda _: self._use()))
        self._use()

    @property
    def url(self) -> str | None:
        """The address of the server, or `None` if the archive is a folder or none is chosen."""
        return self.archive.url if isinstance(self.archive, DicomWeb) else None

    def add_server(self, name: str, url: str) -> None:
        """Remember a server and use it.

        Raises
        ------
        ArchiveError, BackendUnavailable
            As of `remember`.
        """
        remember(Server(name or origin(url), url))
        self._fill(name or origin(url))

    def add_folder(self, folder: Path) -> None:
        """Use a folder, which is not remembered."""
        self.list.addItem(str(folder), DicomTree(folder))
        self.list.setCurrentIndex(self.list.count() - 1)

    def keep_login(self, user: str, secret: str) -> None:
        """Keep how to sign in to the server that is chosen, off this thread."""
        url = self.url
        if url is None:
            raise ArchiveError("No server is selected.", "Select a server in the list first.")
        in_background(lambda: keep_login(url, Login(user, secret)), guarded(self._on_stored))

    def _on_stored(self, in_keyring: bool) -> None:
        if not in_keyring:
            show_message(
                "This system has no keyring: you will be asked to sign in again next time."
            )

    def _fill(self, chosen: str = "") -> None:
        """Show the servers again, and use one of them."""
        folders = [self.list.itemData(row) for row in range(self.list.count())]
        self.list.blockSignals(True)
        self.list.clear()
        for server in servers():
            self.list.addItem(server.name, DicomWeb(server.url, server.name))
        for tree in (widget for widget in folders if isinstance(widget, DicomTree)):
            self.list.addItem(tree.title, tree)
        self.list.setCurrentIndex(max(self.list.findText(chosen), 0) if self.list.count() else -1)
        self.list.blockSignals(False)
        self._use()

    def _use(self) -> None:
        self.archive = self.list.currentData()
        self.sign_in.setEnabled(self.url is not None)
        self.forget.setEnabled(self.archive is not None)
        self.chosen.emit()

    def _ask_server(self) -> None:
        hint = "DICOMweb address, such as https://pacs.example/dicom-web"
        form = ServerForm("Add a server", hint, {"Name": False, "Address": False}, self)
        form.filled.connect(guarded(lambda texts: self.add_server(*texts)))
        form.open()

    def _ask_folder(self) -> None:
        folder_path = QFileDialog.getExistingDirectory(self, "Search a folder")
        if folder_path:
            self.add_folder(Path(folder_path))

    def _ask_login(self) -> None:
        hint = "User and password, or a token without a user. Stored in the system's keyring."
        fields = {"User": False, "Password or token": True}
        form = ServerForm(f"Sign in to {self.list.currentText()}", hint, fields, self)
        form.filled.connect(guarded(lambda texts: self.keep_login(*texts)))
        form.open()

    def _forget(self) -> None:
        if self.url is not None:
            forget(Server(self.list.currentText(), self.url))
        self.list.removeItem(self.list.currentIndex())
