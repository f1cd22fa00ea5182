"""What can be done with the model that is chosen; what cannot is greyed and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QMenu, QPushButton, QWidget

from napari_medvlm.backends.base import Task
from napari_medvlm.backends.models.registry import State
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.worker.model_status import ModelStatus

COLUMNS = 3
DOCKS = {Task.SEGMENT: "Segment", Task.GROUND: "Ground", Task.ANSWER: "Ask"}
"""Where backends of a task are chosen."""
CHOOSE = "Select a model in the table first."


class ModelActions(QWidget):
    """Buttons.

    Parameters
    ----------
    docks
        The titles of the docks that there are.

    Attributes
    ----------
    use_requested
        The title of the dock that shall use it.
    download_requested, verify_requested, remove_requested, install_requested, page_requested
        What their buttons say, of the model that is chosen.
    unload_requested
        The memory of all models shall be freed.
    folder_requested, file_requested
        A model shall be added.
    """

    use_requested = Signal(str)
    download_requested = Signal()
    verify_requested = Signal()
    remove_requested = Signal()
    install_requested = Signal()
    page_requested = Signal()
    unload_requested = Signal()
    folder_requested = Signal()
    file_requested = Signal()

    def __init__(self, docks: Iterable[str]) -> None:
        super().__init__()
        self._tooltips: dict[QPushButton, str] = {}
        self._docks = {task: title for task, title in DOCKS.items() if title in docks}
        self.use = self._button("Use in…", "Open a dock with this model selected.")
        self.menu = QMenu(self)
        self.use.setMenu(self.menu)
        self.download = self._button(
            "Download…", "Show the licence and size, then download.", self.download_requested
        )
        self.verify = self._button(
            "Verify",
            "Check all files against their hashes, then run a known input and record the result.",
            self.verify_requested,
        )
        self.install = self._button(
            "Install…", "Show how to install the backend's requirements.", self.install_requested
        )
        self.unload = self._button(
            "Unload all",
            (
                "Free the memory used by models. No work is lost; models are loaded again "
                "when needed."
            ),
            self.unload_requested,
        )
        self.remove = self._button(
            "Remove…",
            "Delete a downloaded model, or remove an added one from the list.",
            self.remove_requested,
        )
        self.add = self._button("Add…", "Register a model file or folder of this computer.")
        adding = QMenu(self)
        adding.addAction("Folder…", self.folder_requested.emit)
        adding.addAction("File…", self.file_requested.emit)
        self.add.setMenu(adding)
        self.page = self._button(
            "Page", "Open the model's page in the browser.", self.page_requested
        )
        self._lay_out()

    def allow(self, row: ModelStatus | None, *, offline: bool, busy: bool, loaded: bool) -> None:
        """Grey what cannot be done with a model.

        Parameters
        ----------
        busy
            Whether something is being done already.
        loaded
            Whether there is a model in memory.
        """
        waits = "Wait for the running task, or cancel it." if busy else None
        self._set(self.use, _not_used(row))
        self._fill(row)
        self._set(self.download, waits or _not_downloaded(row, offline))
        self._set(self.verify, waits or _not_here(row))
        gone = row is not None and row.model.state is State.GONE
        self._set(self.remove, waits or (None if gone else _not_here(row)))
        self._set(self.install, waits or _not_installed(row))
        self._set(self.unload, None if loaded else "No model is loaded.")
        self._set(self.add, waits)
        no_page = row is None or row.model.page is None
        self._set(
            self.page, (CHOOSE if row is None else "The model has no page.") if no_page else None
        )

    def _fill(self, row: ModelStatus | None) -> None:
        self.menu.clear()
        for task, title in self._docks.items():
            if row is not None and task in row.tasks:
                self.menu.addAction(title, self._emitter(title))

    def _emitter(self, title: str) -> Callable[[], None]:
        return lambda: self.use_requested.emit(title)

    def _button(self, text: str, tooltip: str, signal: object = None) -> QPushButton:
        action_button = button(text, tooltip)
        self._tooltips[action_button] = tooltip
        if signal is not None:
            action_button.clicked.connect(lambda _=False: signal.emit())  # type: ignore[attr-defined]
        return action_button

    def _set(self, action_button: QPushButton, reason: str | None) -> None:
        action_button.setEnabled(reason is None)
        action_button.setToolTip(self._tooltips[action_button] if reason is None else plain(reason))

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, action_button in enumerate(self._tooltips):
            grid.addWidget(action_button, *divmod(number, COLUMNS))


def _not_here(row: ModelStatus | None) -> str | None:
    if row is None:
        return CHOOSE
    return None if row.here else "The model is not on this computer."


def _not_used(row: ModelStatus | None) -> str | None:
    if row is None:
        return CHOOSE
    if row.obstacle is not None:
        return row.obstacle
    return _not_here(row)


def _not_downloaded(row: ModelStatus | None, offline: bool) -> str | None:
    if row is None:
        return CHOOSE
    if not row.model.about.on_hub:
        if row.model.page is None:
            return "The model was added from this computer."
        return "Download it from its authors' page, then add its file or folder."
    return "Offline is checked: nothing is downloaded." if offline else None


def _not_installed(row: ModelStatus | None) -> str | None:
    if row is None:
        return CHOOSE
    if row.obstacle is None:
        return "Its requirements are installed."
    return None if row.installable else row.obstacle
