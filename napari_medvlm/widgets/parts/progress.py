"""The progress of a running request with its buttons: cancel, run and recompute."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import plain

EVERY_S = 0.5
READING = "Reading the image…"
STEPS = 1000
"""Steps of a progress bar."""
LEAST_WIDTH_PX = 60


class ProgressWidget(QWidget):
    """A progress bar and Cancel: the one that all docks use.

    Parameters
    ----------
    tooltip
        What Cancel does.

    Attributes
    ----------
    cancel_requested
        The button was pressed.
    """

    cancel_requested = Signal()

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setValue(0)
        self.bar.setMinimumWidth(LEAST_WIDTH_PX)
        self.cancel_button = button("Cancel", tooltip)
        self.cancel_button.clicked.connect(self.cancel_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.cancel_button)

    def show_progress(self, fraction: float | None, message: str) -> None:
        """Show a fraction and a message; the window is drawn again only if one of them changes.

        Parameters
        ----------
        fraction
            0 to 1; None: work whose end is not known.
        message
            Shown as it is: Qt's placeholders such as ``%p`` are not replaced.
        """
        steps = 0 if fraction is None else STEPS
        value = round(STEPS * (fraction or 0.0))
        if (steps, value) != (self.bar.maximum(), self.bar.value()):
            self.bar.setUpdatesEnabled(False)  # else Qt draws the whole window within setValue
            self.bar.setRange(0, steps)
            self.bar.setValue(value)
            self.bar.setUpdatesEnabled(True)
        text = message.replace("%", "%\u200b")
        if text != self.bar.format():
            self.bar.setFormat(text)
            self.bar.setToolTip(plain(message))


class ProgressRow(QWidget):
    """The progress of masks, with Cancel and Recompute.

    Attributes
    ----------
    cancel_requested, again_requested
        The button was pressed.
    """

    cancel_requested = Signal()
    again_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._progress = ProgressWidget("Stop the computation; prompts remain. (Escape)")
        self._busy = False
        self._since = 0.0
        self._again = button("Recompute", "Recompute the active object with this backend.")
        self._progress.cancel_requested.connect(self.cancel_requested)
        self._again.clicked.connect(self.again_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._progress)
        layout.addWidget(self._again)
        self.show_state(busy=False, waiting=0, can_ask=False)

    def show_state(self, *, busy: bool, waiting: int, can_ask: bool) -> None:
        """Show whether a mask is being computed and how many prompts are pending."""
        if busy and not self._busy:
            self._since = time.monotonic()
        self._busy = busy
        self._progress.cancel_button.setEnabled(busy)
        self._again.setEnabled(can_ask and not busy)
        if not busy:
            prompts = "1 prompt" if waiting == 1 else f"{waiting} prompts"
            self._progress.show_progress(0.0, f"{prompts} pending" if waiting else "Ready")

    def show_reading(self) -> None:
        """Show that the image is being prepared."""
        self._busy = False
        self._progress.show_progress(0.0, READING)

    def show_progress(self, fraction: float, message: str) -> None:
        """Show the progress of the request, 0 to 1, at most twice a second."""
        now_s = time.monotonic()
        if self._busy and now_s - self._since > EVERY_S:
            self._since = now_s
            self._progress.show_progress(fraction, f"{message} {fraction:.0%}".lstrip())

    @property
    def text(self) -> str:
        """The text of the bar."""
        return str(self._progress.bar.format())


class RunRow(QWidget):
    """Buttons to run and to cancel, with a progress bar.

    Attributes
    ----------
    run_requested, cancel_requested
        The button was pressed.
    """

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, title: str, tooltip: str) -> None:
        super().__init__()
        self.run = button(title, tooltip)
        self._progress = ProgressWidget("Stop; finished results remain.")
        self.bar, self.cancel = self._progress.bar, self._progress.cancel_button
        self.run.clicked.connect(self.run_requested)
        self._progress.cancel_requested.connect(self.cancel_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.run)
        layout.addWidget(self._progress)
        self._busy = False
        self.show_state(ready=False, busy=False)

    def show_state(self, *, ready: bool, busy: bool) -> None:
        """Show whether it can be run, and whether it runs."""
        self.run.setEnabled(ready)
        self.cancel.setEnabled(busy)
        if busy and not self._busy:
            self.show_progress(0.0, "Starting…")
        self._busy = busy
        if not busy:
            self.show_progress(0.0, "Ready" if ready else "Open an image first")

    def show_progress(self, fraction: float, message: str) -> None:
        """Show the progress, 0 to 1, and what is being done."""
        self._progress.show_progress(fraction, message)
