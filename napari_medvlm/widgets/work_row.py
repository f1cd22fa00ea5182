"""Some work off the window's thread: how far it is, and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_medvlm.errors import Cancelled, MedVLMError
from napari_medvlm.io.archives import Progress
from napari_medvlm.widgets.background import in_background
from napari_medvlm.widgets.buttons import button
from napari_medvlm.widgets.queued import Queued
from napari_medvlm.widgets.report import guarded

STEPS = 1000


class WorkRow(QWidget):
    """One piece of work at a time; a newer one takes the place of the older.

    Attributes
    ----------
    busy_changed
        It began or ended to work.
    """

    busy_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._stop = Event()
        self.busy = False
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.cancel_button = button("Cancel", "Stop; nothing that is half done is kept.")
        self.cancel_button.clicked.connect(lambda: self.cancel())
        self._progressed = Queued(self._on_progress, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.cancel_button)
        self._set_busy(False)

    def cancel(self) -> None:
        """Stop what is done; its result is no longer waited for."""
        self._stop.set()
        self._set_busy(False)

    def start(
        self, message: str, work: Callable[[Progress], Any], done: Callable[[Any], None]
    ) -> None:
        """Do some work on another thread, and something with its result on the window's.

        Parameters
        ----------
        work
            Is given a function to tell how far it is, which raises `Cancelled` after Cancel.
        """
        self._stop.set()
        self._stop = stop = Event()
        self.destroyed.connect(stop.set)

        def progress(fraction: float, message: str) -> None:
            if stop.is_set():
                raise Cancelled
            self._progressed(stop, fraction, message)

        def run() -> Any:
            try:
                return work(progress)
            except MedVLMError:
                if stop.is_set():
                    raise Cancelled from None  # nobody waits for it any more
                raise
            finally:
                if not stop.is_set():
                    self._progressed(stop, None, "")

        self.bar.setValue(0)
        self.bar.setFormat(message)
        self._set_busy(True)
        in_background(run, guarded(lambda found: None if stop.is_set() else done(found)))

    def _on_progress(self, told: list[Any]) -> None:
        stop, fraction, message = told[-1]
        if stop is not self._stop or stop.is_set():
            return
        if fraction is None:
            self._set_busy(False)
            return
        self.bar.setValue(round(STEPS * fraction))
        self.bar.setFormat(message)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.cancel_button.setEnabled(busy)
        if not busy:
            self.bar.setValue(0)
            self.bar.setFormat("Ready")
        self.busy_changed.emit()
