"""Asking what an answer comes from, with what that costs."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton

from napari_medvlm.backends.vlm.occlusion import cost
from napari_medvlm.data.conversation import SentImage, Turn
from napari_medvlm.sessions.ask.explain import obstacle
from napari_medvlm.widgets.parts.plain_text import plain

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

    def offer(self, turn: Turn) -> None:
        """Offer the pictures of an exchange, or say why there is no map of it."""
        reason = obstacle(turn)
        self.setEnabled(not reason)
        self.setToolTip(plain(reason or TOOLTIP))
        self.pictures.clear()
        for number, sent in enumerate(turn.sent):
            if not sent.of:
                action = self.pictures.addAction(answer_text(turn, number, sent))
                action.triggered.connect(lambda _, number=number: self.chosen.emit(number))


def answer_text(turn: Turn, number: int, sent: SentImage) -> str:
    """A picture, and what its map costs: passes of the model, and about how long they take."""
    passes = cost(_size(sent))
    return f"{sent.caption or f'Image {number + 1}'}: {passes} passes{_time(turn, passes)}"


def _time(turn: Turn, passes: int) -> str:
    """As the last map took; before there is one, as the answer's first word did."""
    shown_evidence = turn.evidence
    if shown_evidence is not None:
        seconds_per_pass = shown_evidence.seconds / cost(_size(turn.sent[shown_evidence.image]))
        return f", about {_rounded(seconds_per_pass * passes)}"
    first = turn.first_token_s
    return "" if first is None else f", about {_rounded(first * passes)}"


def _size(sent: SentImage) -> tuple[int, int]:
    return sent.pixels.shape[0], sent.pixels.shape[1]


def _rounded(seconds: float) -> str:
    if seconds < 1:
        return "1 s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
