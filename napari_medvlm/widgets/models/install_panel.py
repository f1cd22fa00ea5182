"""How to install what a backend needs: a command to type, or an environment that is made here."""

from __future__ import annotations

import sys
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
)

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models.offline import is_offline
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import show_message
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.environments import install_command
from napari_medvlm.worker.install import folder_for, install

MOST_LINES = 500
ALONE = "Install in a separate environment"


class InstallPanel(QFrame):
    """Hidden until a backend is asked for.

    Attributes
    ----------
    installed
        The backend that can be used now.
    """

    installed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._backend = ""
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.command.setToolTip("Run this in a terminal, then restart the viewer.")
        self.copy = button("Copy", "Copy the command.")
        self.alone = button(ALONE, "Create a Python environment for this backend only.")
        self.close_button = button("Close", "Hide this panel.")
        self.lines = QPlainTextEdit()
        self.lines.setReadOnly(True)
        self.lines.setMaximumBlockCount(MOST_LINES)
        self.lines.setToolTip("Output of venv and pip.")
        self.lines.setMinimumHeight(60)
        self.job = JobBar("Stop and remove the partial installation.")
        self._lines_received = MainThreadQueue(self._on_lines, self)
        self._lay_out()
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.command.text()))
        on_click(self.alone, self.install)
        self.close_button.clicked.connect(lambda: self.hide())
        self.job.busy_changed.connect(self._refresh)
        self.hide()

    def offer(self, backend: str) -> None:
        """Show how a backend is installed."""
        self._backend = backend
        self.text.setText("In the viewer's own Python, if compatible with its other packages:")
        self.command.setText(install_command(sys.executable, backend))
        self.command.setCursorPosition(0)
        self.lines.hide()
        self._refresh()
        self.show()

    def install(self) -> None:
        """Make an environment for the backend, with what it needs."""
        backend = self._backend
        self.lines.clear()
        self.lines.show()

        def work(progress: Progress) -> Any:
            def unwanted() -> bool:
                try:
                    progress(0.0, "Installing")
                except Cancelled:
                    return True
                return False

            return install(backend, self._lines_received, unwanted)

        def done(folder: object) -> None:
            show_message(f"{backend} runs in {folder} from now on. Reopen its dock to select it.")
            self.hide()
            self.installed.emit(backend)

        self.job.start(work, done, "Installing")

    def _refresh(self) -> None:
        if not self._backend:
            return
        offline = is_offline()
        self.alone.setEnabled(not (offline or self.job.busy))
        self.close_button.setEnabled(not self.job.busy)
        target = folder_for(self._backend)
        self.alone.setToolTip(
            "Offline is checked: nothing is downloaded."
            if offline
            else f"Create {target} with pip: packages are downloaded from pip's configured index, "
            "several GB with torch. The viewer's own Python is not changed."
        )

    def _on_lines(self, lines: list[Any]) -> None:
        self.lines.appendPlainText("\n".join(lines))

    def _lay_out(self) -> None:
        self.setFrameShape(QFrame.Shape.StyledPanel)
        typed, row = QHBoxLayout(), QHBoxLayout()
        typed.addWidget(self.command)
        typed.addWidget(self.copy)
        row.addWidget(self.alone)
        row.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(typed)
        layout.addLayout(row)
        layout.addWidget(self.job)
        layout.addWidget(self.lines)
