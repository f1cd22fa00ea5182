"""The offer to download a model, how far the download is, and Cancel."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Signal

from napari_medvlm.backends.models.download import Offer, offer
from napari_medvlm.backends.models.manage import download
from napari_medvlm.widgets.parts.dialogs import ask
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.runtime.notify import show_message


class DownloadBar(JobBar):
    """Hidden until a model is asked for; one at a time.

    Attributes
    ----------
    downloaded
        The id of a model that is on this computer now.
    """

    downloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__("Stop; complete files remain.")

    def ask(self, model: str) -> None:
        """Ask the hub about a model, and then the person whether to download it."""
        self.start(lambda _: offer(model), self._on_offer, f"Looking up {model}")

    def _on_offer(self, offered: Offer) -> None:
        if not offered.files:
            show_message(f"{offered.model} is already on this computer.")
            self.downloaded.emit(offered.model)
            return
        ask(
            self,
            "Download a model",
            described(offered),
            "Download",
            lambda: self._download(offered),
        )

    def _download(self, offered: Offer) -> None:
        def done(folder: object) -> None:
            show_message(f"{offered.model} was downloaded to {folder}.")
            self.downloaded.emit(offered.model)

        self.start(
            lambda progress: download(offered.model, progress),
            done,
            f"Downloading {offered.model}",
        )


def described(offered: Offer) -> str:
    """An offer as the box shows it, in HTML."""
    model, licence, url = (escape(t) for t in (offered.model, offered.licence, offered.url))
    files = "1 file" if offered.files == 1 else f"{offered.files} files"
    terms = "<p>Accept its terms on its page first.</p>" if offered.gated else ""
    return (
        f"<p><b>{model}</b></p><p>Licence: {licence}<br>Size: {offered.size} in {files}<br>"
        f'<a href="{url}">{url}</a></p>{terms}<p>No image data is sent.</p>'
    )
