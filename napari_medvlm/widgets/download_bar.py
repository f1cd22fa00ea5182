"""The offer to download a model, how far the download is, and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from threading import Event
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QProgressBar, QWidget

from napari_medvlm.backends.downloads import Offer, fetch, offer
from napari_medvlm.errors import Cancelled, MedVLMError
from napari_medvlm.widgets.background import in_background
from napari_medvlm.widgets.buttons import button
from napari_medvlm.widgets.queued import Queued
from napari_medvlm.widgets.report import guarded, tell

STEPS = 1000


class DownloadBar(QWidget):
    """Hidden until a model is asked for; one at a time.

    Attributes
    ----------
    downloaded
        The id of a model that is on this computer now.
    busy_changed
        It began or ended to ask or to download.
    """

    downloaded = Signal(str)
    busy_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._stop = Event()
        self.busy = False
        self.bar = QProgressBar()
        self.cancel_button = button("Cancel", "Stop; files that are whole stay.")
        self.cancel_button.clicked.connect(self.cancel)
        self._progressed = Queued(self._on_progress, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.cancel_button)
        self.hide()

    def ask(self, model: str) -> None:
        """Ask the hub about a model, and then the person whether to download it."""
        self._start(lambda _: offer(model), self._on_offer, f"Asking about {model}")

    def cancel(self) -> None:
        """Stop asking or downloading."""
        self._stop.set()
        self._end()

    def _start(
        self, work: Callable[[Event], Any], done: Callable[[Any], None], message: str
    ) -> None:
        """Do some work in the background until it ends or is cancelled."""
        self._stop = stop = Event()
        self.destroyed.connect(stop.set)

        def run() -> Any:
            try:
                return work(stop)
            except MedVLMError:
                if stop.is_set():
                    raise Cancelled from None  # nobody waits for it any more
                raise
            finally:
                if not stop.is_set():
                    self._progressed(stop, None, "")

        self.bar.setRange(0, 0)
        self.bar.setFormat(message)
        self.bar.setToolTip(message)
        self._set_busy(True)
        in_background(run, guarded(lambda found: None if stop.is_set() else done(found)))

    def _on_offer(self, offered: Offer) -> None:
        if not offered.files:
            tell(f"{offered.model} is already on this computer.")
            self.downloaded.emit(offered.model)
            return
        box = QMessageBox(self.window())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Download a model")
        box.setTextFormat(Qt.TextFormat.RichText)
        box.setText(described(offered))
        accept = box.addButton("Download", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        accept.clicked.connect(guarded(lambda _: self._download(offered)))
        box.open()

    def _download(self, offered: Offer) -> None:
        def work(stop: Event) -> Any:
            def progress(fraction: float, message: str = "") -> None:
                if stop.is_set():
                    raise Cancelled
                self._progressed(stop, fraction, message)

            return fetch(offered.model, progress)

        def done(folder: object) -> None:
            tell(f"{offered.model} was downloaded to {folder}.")
            self.downloaded.emit(offered.model)

        self._start(work, done, f"Downloading {offered.model}")

    def _on_progress(self, told: list[Any]) -> None:
        stop, fraction, message = told[-1]
        if stop is not self._stop or stop.is_set():
            return
        if fraction is None:
            self._end()
            return
        self.bar.setRange(0, STEPS)
        self.bar.setValue(round(STEPS * fraction))
        self.bar.setFormat(message)

    def _end(self) -> None:
        self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.setVisible(busy)
        self.busy_changed.emit()


def described(offered: Offer) -> str:
    """An offer as the box shows it, in HTML."""
    model, licence, url = (escape(t) for t in (offered.model, offered.licence, offered.url))
    files = "1 file" if offered.files == 1 else f"{offered.files} files"
    terms = "<p>Its terms must be accepted on its page first.</p>" if offered.gated else ""
    return (
        f"<p><b>{model}</b></p><p>Licence: {licence}<br>Size: {offered.size} in {files}<br>"
        f'<a href="{url}">{url}</a></p>{terms}<p>Nothing about your images is sent.</p>'
    )
