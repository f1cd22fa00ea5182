"""Asking what an answer comes from, with what that costs."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton

from napari_medvlm.backends.vlm.occlusion import cost
from napari_medvlm.data.conversation import SentImage, Turn
from napari_medvlm.sessions.ask.explain import obstacle

TOOLTIP = (
    "Show which parts of an image the answer depends on, by hiding one part at a time. "
    "The menu shows the cost; Stop cancels."
)


class EvidenceButton(QPushButton):
    """A menu of the pictures that were sent, each with what its map of evidence costs.

    Attributes
    ----------
    chosen
        Number of the picture, from 0.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__("Evidence map…")
        self.setMinimumWidth(10)
        self.pictures = QMenu(self)
        self.setMenu(self.pictures)

    def offer(self, exchange: Turn) -> None:
        """Offer the pictures of an exchange, or say why there is no map of it."""
        reason = obstacle(exchange)
        self.setEnabled(not reason)
        self.setToolTip(reason or TOOLTIP)
        self.pictures.clear()
        for number, sent in enumerate(exchange.sent):
            if not sent.of:
                action = self.pictures.addAction(answer_text(exchange, number, sent))
                action.triggered.connect(lambda _, number=number: self.chosen.emit(number))


def answer_text(exchange: Turn, number: int, sent: SentImage) -> str:
    """A picture, and what its map costs: passes of the model, and about how long they take."""
    passes = cost(_size(sent))
    return f"{sent.caption or f'Image {number + 1}'}: {passes} passes{_time(exchange, passes)}"


def _time(exchange: Turn, passes: int) -> str:
    """As the last map took; before there is one, as the answer's first word did."""
    made = exchange.evidence
    if made is not None:
        each = made.seconds / cost(_size(exchange.sent[made.image]))
        return f", about {_rounded(each * passes)}"
    first = exchange.first_token_s
    return "" if first is None else f", about {_rounded(first * passes)}"


def _size(sent: SentImage) -> tuple[int, int]:
    return sent.pixels.shape[0], sent.pixels.shape[1]


def _rounded(seconds: float) -> str:
    if seconds < 1:
        return "1 s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
