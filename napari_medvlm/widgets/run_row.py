"""Run, Cancel, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_medvlm.widgets.buttons import button


class RunRow(QWidget):
    """Buttons to run and to cancel, with a progress bar.

    Attributes
    ----------
    run_requested, cancel_requested
        The person pressed the button.
    """

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, title: str, tooltip: str) -> None:
        super().__init__()
        self.run = button(title, tooltip)
        self.cancel = button("Cancel", "Stop; what was found stays.")
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.run.clicked.connect(self.run_requested.emit)
        self.cancel.clicked.connect(self.cancel_requested.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.run, self.bar, self.cancel):
            layout.addWidget(widget)
        self.show_state(ready=False, busy=False)

    def show_state(self, *, ready: bool, busy: bool) -> None:
        """Show whether it can be run, and whether it runs."""
        self.run.setEnabled(ready)
        self.cancel.setEnabled(busy)
        if not busy:
            self.show_progress(0.0, "Ready" if ready else "Open an image first")

    def show_progress(self, fraction: float, message: str) -> None:
        """Show how far it is, 0 to 1, and what is being done; Qt fills in what follows a "%"."""
        self.bar.setValue(round(100 * fraction))
        self.bar.setFormat(message.replace("%", "%\u200b"))
