"""How far the running request is, with a way to stop it or to try again."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_medvlm.widgets.parts.buttons import button

EVERY_S = 0.5
READING = "Reading the image…"


class ProgressRow(QWidget):
    """A progress bar between Cancel and Ask again.

    Attributes
    ----------
    cancel_requested, again_requested
        The person pressed the button.
    """

    cancel_requested = Signal()
    again_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._bar = QProgressBar()
        self._bar.setRange(0, 100)
        self._bar.setValue(0)
        self._busy = False
        self._since = 0.0
        self._cancel = button("Cancel", "Stop the computation; prompts are kept. (Escape)")
        self._again = button("Recompute", "Recompute the active object with this backend.")
        self._cancel.clicked.connect(self.cancel_requested.emit)
        self._again.clicked.connect(self.again_requested.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._bar, self._cancel, self._again):
            layout.addWidget(widget)
        self.show_state(busy=False, waiting=0, can_ask=False)

    def show_state(self, *, busy: bool, waiting: int, can_ask: bool) -> None:
        """Show whether a mask is on its way and how many prompts wait for theirs."""
        if busy and not self._busy:
            self._since = time.monotonic()
        self._busy = busy
        self._cancel.setEnabled(busy)
        self._again.setEnabled(can_ask and not busy)
        if not busy:
            prompts = "1 prompt" if waiting == 1 else f"{waiting} prompts"
            self._show(0, f"{prompts} pending" if waiting else "Ready")

    def show_reading(self) -> None:
        """Show that the image is being prepared."""
        self._busy = False
        self._show(0, READING)

    def show_progress(self, fraction: float, message: str) -> None:
        """Show how far the request is, 0 to 1, and what it does; not more often than is read."""
        now_s = time.monotonic()
        if self._busy and now_s - self._since > EVERY_S:
            self._since = now_s
            self._show(round(100 * fraction), f"{message} %p%" if message else "%p%")

    def _show(self, percent: int, text: str) -> None:
        """Qt draws the whole window at each change of a progress bar, so only if there is one."""
        if percent != self._bar.value():
            self._bar.setValue(percent)
        if text != self._bar.format():
            self._bar.setFormat(text)

    @property
    def text(self) -> str:
        """What the bar says."""
        return str(self._bar.format())


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
        self.cancel = button("Cancel", "Stop; finished results are kept.")
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
