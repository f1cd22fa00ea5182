"""How far the running request is, with a way to stop it or to try again."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_medvlm.widgets.buttons import button

EVERY_S = 0.5


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
        self._cancel = button("Cancel", "Stop what is being computed; prompts are kept. (Escape)")
        self._again = button("Ask again", "Compute the active object anew with this backend.")
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
            self._show(0, f"{prompts} without a mask" if waiting else "Ready")

    def show_progress(self, fraction: float, message: str) -> None:
        """Show how far the request is, 0 to 1, and what it does; not more often than is read."""
        now = time.monotonic()
        if self._busy and now - self._since > EVERY_S:
            self._since = now
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
