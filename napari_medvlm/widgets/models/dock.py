"""The Models dock: which models there are, and getting, checking, using and removing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QVBoxLayout

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.memory import free as memory_free
from napari_medvlm.backends.memory.free import Memory
from napari_medvlm.backends.models import manage, registry
from napari_medvlm.backends.models.offline import is_offline, set_offline
from napari_medvlm.backends.models.registry import Model, State
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable
from napari_medvlm.settings.verified_models import VerifiedRun
from napari_medvlm.widgets.commands import docks, named_dock
from napari_medvlm.widgets.models.actions import ModelActions
from napari_medvlm.widgets.models.add_dialog import AddModel
from napari_medvlm.widgets.models.download_bar import DownloadBar
from napari_medvlm.widgets.models.install_panel import InstallPanel
from napari_medvlm.widgets.models.table import ModelsTable, described
from napari_medvlm.widgets.parts.dialogs import ask
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.worker.environment_runner import RoutedRunner, living
from napari_medvlm.worker.model_check import run_known_input
from napari_medvlm.worker.model_status import ModelStatus, offered

if TYPE_CHECKING:
    from napari import Viewer

LOOK_MS = 3000
"""How often it is looked at the memory while the dock is seen."""
Loaded = frozenset[tuple[str, str | None]]


class ModelsDock(Dock):
    """Parts of the dock, connected to what is on the disk and in memory.

    The disk is looked at off this thread; the network only when Download or Install is pressed.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._memory = Memory(0)
        self._loaded: Loaded | None = None
        self._looking = self._stale = self._closed = False
        self._wanted = ""
        self.offline = QCheckBox("Offline")
        self.offline.setToolTip(
            "Offline: nothing is downloaded or installed. Remembered until unchecked."
        )
        self.free = QLabel()
        self.free.setToolTip("Free memory of the computer and of NVIDIA GPUs.")
        self.free.setWordWrap(True)
        self.table = ModelsTable()
        self.details = QLabel("Select a model.")
        self.actions = ModelActions(docks())
        self.download_bar = DownloadBar()
        self.job = JobBar("Stop reading the files.")
        self.installing = InstallPanel()
        self._due = QTimer(self)
        self._due.setInterval(LOOK_MS)
        self._lay_out()
        self._connect()
        self._on_chosen()

    # Actions on the chosen model.

    def use(self, title: str) -> None:
        """Open a dock and have it use the model."""
        row = self._row()
        dock: Any = named_dock(self.viewer, title)
        dock.backend.choose(row.model.about.backend)
        dock.model.turn_to(row.model.about.backend)
        dock.model.name(row.model.name)
        dock.backend.chosen.emit(row.model.about.backend)

    def download(self) -> None:
        """Show the licence and the size, ask, and download it."""
        self.download_bar.ask(self._row().model.about.source)

    def verify(self) -> None:
        """Compare its files with their hashes, then run a known input with it."""
        status = self._row()
        name = status.model.name

        def done(wrong: tuple[str, ...]) -> None:
            if wrong:
                raise BackendUnavailable(
                    f"Verification of {name} failed. {' '.join(wrong[:3])}",
                    "Download it again, or add it again if you changed its files.",
                )
            show_message(f"{name} is complete and unchanged.")
            if status.obstacle is None:
                self._run_known_input(status.model)

        self.job.start(lambda p: manage.verify(name, p), done, f"Verifying {name}")

    def _run_known_input(self, model: Model) -> None:
        runner = RoutedRunner()

        def work(progress: Progress) -> VerifiedRun:
            try:
                return run_known_input(model, runner, "cpu", progress)
            finally:
                runner.stop()

        def done(run: VerifiedRun) -> None:
            self._look()
            if not run.passed:
                raise BackendFailed(f"{model.name} {run.summary}", "See its notes and its page.")
            show_message(f"{model.name} {run.summary}.")

        self.job.start(work, done, f"Running {model.name}")

    def remove(self) -> None:
        """Ask, and delete or forget it."""
        model = self._row().model
        if model.state is State.DOWNLOADED:
            text, accept = f"Delete {model.path}?", "Delete"
        else:
            text, accept = (
                f"Remove {model.name} from the list? Its files stay on the disk.",
                "Remove",
            )
        ask(self, "Remove a model", text, accept, lambda: self._remove(model.name))

    def add(self, path: Path) -> None:
        """Ask who runs a model of this computer, and know it from now on."""
        row = self.table.row
        likely = "" if row is None else row.model.about.backend
        AddModel(self, path, likely, lambda *fields: self._add(path, *fields)).open()

    def unload(self) -> None:
        """End the workers of all docks."""
        in_background(_unload, guarded(self._look))

    def close_dock(self) -> None:
        """Stop what is being done."""
        self._closed = True
        self._due.stop()
        for bar in (self.download_bar, self.job, self.installing.job):
            bar.cancel()

    def _remove(self, name: str) -> None:
        def done(words: str) -> None:
            show_message(words)
            self._look()

        in_background(lambda: manage.remove(name), guarded(done))

    def _add(self, path: Path, backend: str, name: str) -> None:
        def done(added: registry.Model) -> None:
            show_message(f"{added.name} was added; its files stay at {added.path}.")
            self._look_for(added.name)

        self.job.start(lambda p: registry.add(path, backend, p, name), done, f"Reading {path.name}")

    def _row(self) -> ModelStatus:
        if self.table.row is None:
            raise BackendUnavailable("No model is selected.", "Select a row of the table first.")
        return self.table.row

    # What there is.

    def _look(self, _: object = None) -> None:
        """Look at the disk and the memory off this thread, and show what was found."""
        self._stale = True
        if not self._looking:
            self._looking, self._stale = True, False
            in_background(self._seen, guarded(self._on_looked))

    def _seen(self) -> tuple[tuple[ModelStatus, ...], Memory, Loaded]:
        """What there is."""
        try:
            loaded = _loaded()
            return offered(loaded), memory_free.free(), loaded
        finally:
            self._looking = False

    def _on_looked(self, state: tuple[tuple[ModelStatus, ...], Memory, Loaded]) -> None:
        if self._closed:
            return
        rows, free, self._loaded = state
        self._show_memory(free)
        self.table.show_models(rows, free)
        self.table.choose(self._wanted)
        self._wanted = ""
        if self._stale:
            self._look()

    def _look_for(self, name: str) -> None:
        """Look, and go to a model."""
        self._wanted = name
        self._look()

    def _glance(self) -> None:
        """Look at the memory alone, and at all if models were loaded or ended."""
        in_background(lambda: (memory_free.free(), _loaded()), guarded(self._on_glance))

    def _on_glance(self, state: tuple[Memory, Loaded]) -> None:
        if self._closed:
            return
        free, loaded = state
        self._show_memory(free)
        if loaded != self._loaded:
            self._look()

    def _show_memory(self, free: Memory) -> None:
        self._memory = free
        self.free.setText(f"Free: {free}")

    def _on_chosen(self) -> None:
        row = self.table.row
        self.details.setText(
            "Select a model." if row is None else described(row, self._memory, self.details)
        )
        self._allow()

    def _allow(self) -> None:
        bars = (self.download_bar, self.job, self.installing.job)
        self.actions.allow(
            self.table.row,
            offline=is_offline(),
            busy=any(bar.busy for bar in bars),
            loaded=bool(self._loaded),
        )

    def _set_offline(self, offline: bool) -> None:
        set_offline(offline)
        self._allow()

    # Wiring.

    def _lay_out(self) -> None:
        self.details.setWordWrap(True)
        self.details.setTextFormat(Qt.TextFormat.RichText)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details.setToolTip("Details of the selected model.")
        self.offline.setChecked(is_offline())
        top = QHBoxLayout()
        top.addWidget(self.free, 1)
        top.addWidget(self.offline)
        layout = QVBoxLayout(self.body)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        for part in (
            self.details, self.actions, self.download_bar, self.job, self.installing,
        ):  # fmt: skip
            layout.addWidget(part)

    def _connect(self) -> None:
        actions = self.actions
        for signal, act in (
            (actions.use_requested, self.use),
            (actions.download_requested, self.download),
            (actions.verify_requested, self.verify),
            (actions.remove_requested, self.remove),
            (actions.unload_requested, self.unload),
            (actions.install_requested, self._offer_install),
            (actions.page_requested, self._open_page),
            (actions.folder_requested, self._add_folder),
            (actions.file_requested, self._add_file),
            (self.table.chosen, self._on_chosen),
            (self.offline.toggled, self._set_offline),
            (self.download_bar.downloaded, self._look_for),
            (self.installing.installed, self._look),
            (self._due.timeout, self._glance),
        ):
            signal.connect(guarded(act))
        for bar in (self.download_bar, self.job, self.installing.job):
            bar.busy_changed.connect(self._allow)

    def _offer_install(self) -> None:
        self.installing.offer(self._row().model.about.backend)

    def _open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(self._row().model.page or ""))

    def _add_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Model folder")
        if path:
            self.add(Path(path))

    def _add_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Model file")
        if path:
            self.add(Path(path))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  # Qt's name
        """Look at what there is whenever the dock comes into sight."""
        super().showEvent(event)
        self._closed = False
        self._look()
        self._due.start()

    def hideEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Look at nothing while it is out of sight."""
        super().hideEvent(event)
        self._due.stop()


def _unload() -> None:
    for runner in living():
        runner.stop()


def _loaded() -> Loaded:
    """The backends and models in memory, of all docks, as they were named."""
    named = [both for runner in living() for both in runner.models if both[1] is not None]
    return frozenset(named)
