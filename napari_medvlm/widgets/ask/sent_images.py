"""The pictures that were really sent to a model."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem

from napari_medvlm.data.conversation import SentImage
from napari_medvlm.widgets.parts.plain_text import plain

SIDE = 68
"""Of a small picture, in pixels."""
ROWS = 118
"""Height of the strip, in pixels: a picture, two lines of caption, the scroll bar."""


class PictureStrip(QListWidget):
    """Small pictures side by side, each with its caption.

    Attributes
    ----------
    chosen
        The `SentImage` that the person clicked.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._sent: tuple[SentImage, ...] = ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setMovement(QListView.Movement.Static)
        self.setWrapping(False)
        self.setWordWrap(True)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setFixedHeight(ROWS)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip("Images sent to the model. Click an image to jump to its slice.")
        self.itemClicked.connect(lambda item: self.chosen.emit(self._sent[self.row(item)]))
        self.hide()

    def show_sent(self, sent: Sequence[SentImage]) -> None:
        """Show these pictures; hidden if there are none."""
        if tuple(sent) == self._sent:
            return
        self._sent = tuple(sent)
        self.clear()
        for sent_image in sent:
            caption = sent_image.caption or f"slice {sent_image.slice.index}"
            item = QListWidgetItem(_icon(sent_image), caption.partition(", window")[0], self)
            item.setSizeHint(QSize(SIDE + 26, ROWS - 16))
            rows, columns = sent_image.pixels.shape[:2]
            of = f" of {sent_image.of}" if sent_image.of else ""
            item.setToolTip(
                plain(f"{caption}{of}: {columns} x {rows} pixels. Click to jump to it.")
            )
        self.setVisible(bool(sent))


def covered(share: float | None, count: int) -> str:
    """How much of an image was sent, in words; empty if no image was sent."""
    if not count or share is None:
        return ""
    images = "1 image" if count == 1 else f"{count} images"
    percent = f"{100 * share:.0f} %" if share >= 0.01 or not share else "less than 1 %"
    return f"{images} sent, covering {percent} of the slices."


def _icon(sent: SentImage) -> QIcon:
    pixels = sent.pixels
    rows, columns = pixels.shape[:2]
    image = QImage(pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    smooth = Qt.TransformationMode.SmoothTransformation
    scaled = image.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    return QIcon(QPixmap.fromImage(scaled))
